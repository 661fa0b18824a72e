if wanted then flags = flags + TAKEN end
m = string.sub(m, 1, place) .. struct.pack('<I1I2I2', flags, n, upto) .. string.sub(m, place + 6)
redis.call('HSET', KEYS[1], 'm', m)
redis.call('PEXPIREAT', KEYS[1], deadline)
return v
