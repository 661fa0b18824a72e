-- Unpacks m, which the script has read: what is known of the session. KEYS[1] is the session, KEYS[2] its tombstone. While a cluster moves
-- the slot, the two may be on two servers: then the script names the session alone, and its node sees to the tombstone. This server's
-- clock counts.
--
-- The scripts have no functions, because each call of a script would make them anew. They hand payloads on and make no strings of
-- them, because Redis hashes each byte of a string that Lua sees.
--
-- Field m of the session is packed: epoch (4 and 2 bytes, as in a cursor), end and tombstone's end (Unix ms), ttl (ms), bytes of
-- payload in wire form, room (see write.lua); for each role flags, candidates, candidates taken, chunks; then for each role,
-- 2 bytes a chunk, the number of the candidate that the chunk begins with.
local SDP, TAKEN = 1, 2 -- flags: sums of these
local META = '<I4I2ddI4I4I4I1I2I2I2I1I2I2I2'
local META_SIZE = 48
local NOT_FOUND, EXPIRED, NO_SDP, NO_CANDIDATE, SDP_EXISTS, FULL, TOO_LONG, BAD_CURSOR, OVERRUN, REUSED = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
local EPOCHS = 16 -- is added to an epoch that is the answer; smaller numbers are the refusals above
local GRACE = 30000 -- ms: cache.Grace
local SLACK = 1000 -- ms that a tombstone may outlive it, so that not each renewal has to move it

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local e1, e2, stop, tomb, ttl, size, room, f1, n1, t1, k1, f2, n2, t2, k2, deadline, due
local lives = false
if m then
  e1, e2, stop, tomb, ttl, size, room, f1, n1, t1, k1, f2, n2, t2, k2 = struct.unpack(META, m)
  deadline = math.min(now + ttl, stop)
  due = deadline + GRACE > tomb
  lives = now < stop
end
