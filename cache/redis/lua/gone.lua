if not lives then return redis.call('EXISTS', KEYS[2]) == 1 and EXPIRED or NOT_FOUND end
