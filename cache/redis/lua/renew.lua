if due then
  tomb = deadline + GRACE + SLACK
  if KEYS[2] then redis.call('PEXPIREAT', KEYS[2], tomb) -- first: it needs no memory, and behind such a write a script may make others even at maxmemory
  else redis.call('PEXPIREAT', KEYS[1], deadline) end
  m = string.sub(m, 1, 14) .. struct.pack('<d', tomb) .. string.sub(m, 23)
  redis.call('HSET', KEYS[1], 'm', m)
end
redis.call('PEXPIREAT', KEYS[1], deadline) -- last: a session that expires just now was made anew by the write above, and ends here
