if again then return v end
if wanted then flags = flags + TAKEN end
m = string.sub(m, 1, place) .. struct.pack('<I1I2I2', flags, n, upto) .. string.sub(m, place + 6)
if token then
  local got = wanted and struct.pack('<I2I2', 0, 1) or struct.pack('<I2I2', 1 + first, 1 + upto)
  redis.call('HSET', KEYS[1], 'm', m, token, bound .. got)
else
  redis.call('HSET', KEYS[1], 'm', m)
end
redis.call('PEXPIREAT', KEYS[1], deadline)
return v
