-- The rest of End.
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[2], '', 'PX', GRACE)
redis.call('SPUBLISH', KEYS[1], '3')
return 0
