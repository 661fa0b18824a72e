-- Gets v: the sdp of role from if wanted, then the role's candidates from number first up to upto. The role has n candidates in k
-- chunks; index is how many bytes of m lie before the chunks' starts. The sdp is in field s and the role. Chunks are in fields c, the
-- role, and 1, 2, 3…: each holds the frames that one write brought, as in cache.Batch.
local fields = {}
local a, b = 1, 0
if wanted then fields[1] = 's' .. from end
if upto > first then
  b = k
  if first > 0 then -- a becomes the last chunk that starts at first or before
    local high = k
    while a < high do
      local i = math.ceil((a + high) / 2)
      local x, y = string.byte(m, index + 2 * i - 1, index + 2 * i)
      if x + 256 * y <= first then a = i else high = i - 1 end
    end
  end
  if upto < n then -- b becomes the last chunk that starts before upto
    local low = a
    while low < b do
      local i = math.ceil((low + b) / 2)
      local x, y = string.byte(m, index + 2 * i - 1, index + 2 * i)
      if x + 256 * y < upto then low = i else b = i - 1 end
    end
  end
  for i = a, b do fields[#fields + 1] = 'c' .. from .. i end
end
local v
if #fields <= 1000 then
  v = redis.call('HMGET', KEYS[1], unpack(fields))
else -- unpack has a limit
  v = {}
  for i = 1, #fields, 1000 do
    for _, value in ipairs(redis.call('HMGET', KEYS[1], unpack(fields, i, math.min(i + 999, #fields)))) do
      v[#v + 1] = value
    end
  end
end
if upto > first then
  if upto < n then -- the end of the last chunk may be too much
    local x, y = string.byte(m, index + 2 * b - 1, index + 2 * b)
    local s, p = v[#v], 1
    for _ = x + 256 * y + 1, upto do p = p + 9 + struct.unpack('<I4', s, p + 5) end
    if p <= #s then v[#v] = string.sub(s, 1, p - 1) end
  end
  if first > 0 then -- so may the beginning of the first one
    local x, y = string.byte(m, index + 2 * a - 1, index + 2 * a)
    local i = wanted and 2 or 1
    local s, p = v[i], 1
    for _ = x + 256 * y + 1, first do p = p + 9 + struct.unpack('<I4', s, p + 5) end
    if p > 1 then v[i] = string.sub(s, p) end
  end
end
