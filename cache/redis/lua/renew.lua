if due then
  tomb = deadline + GRACE + SLACK
  redis.call('PEXPIREAT', KEYS[2], tomb) -- first: a write that needs no memory, behind which others are done even at maxmemory
  m = string.sub(m, 1, 14) .. struct.pack('<d', tomb) .. string.sub(m, 23)
  redis.call('HSET', KEYS[1], 'm', m)
end
redis.call('PEXPIREAT', KEYS[1], deadline) -- last: what has just expired is made anew by a write, and ends here
