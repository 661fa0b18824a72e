-- Gets m, and seen: what the token was used for, if there is one. ARGV: packed numbers, of which the first one behind those of late.lua
-- is the role that asks, and the last 16 bytes are what the token is bound to; the token, or nothing.
local m, seen, token, bound
if (ARGV[2] or '') == '' then
  m = redis.call('HGET', KEYS[1], 'm')
else
  token, bound = 't' .. string.byte(ARGV[1], 13) .. ARGV[2], string.sub(ARGV[1], -16)
  local got = redis.call('HMGET', KEYS[1], 'm', token)
  m, seen = got[1], got[2]
end
