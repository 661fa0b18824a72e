-- The rest of End.
redis.call('UNLINK', KEYS[1])
if KEYS[2] then redis.call('SET', KEYS[2], '', 'PX', GRACE) end
redis.call('SPUBLISH', KEYS[1], '3')
return 0
