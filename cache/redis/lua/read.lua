-- The rest of Read. ARGV: packed role that reads, cursor, limit.
local to, after, limit = struct.unpack('<I1c8I2', ARGV[1])
local from, flags, n, k, index = 2, f2, n2, k2, META_SIZE + 2 * k1
if to == 2 then from, flags, n, k, index = 1, f1, n1, k1, META_SIZE end
local at = 0
if after ~= '\0\0\0\0\0\0\0\0' then
  at = struct.unpack('<I2', after)
  if string.sub(after, 3) ~= epoch then return EXPIRED end
  if at > (flags % 2 == SDP and 1 + n or 0) then return BAD_CURSOR end
end
