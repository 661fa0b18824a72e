if not lives then return KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 and EXPIRED or NOT_FOUND end
