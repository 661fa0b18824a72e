-- Answers with a cursor, and the frames of at most limit messages behind position at; before, with the log's from, flags, n, k,
-- index as fetch.lua has them. The candidates are held back until their sdp is there.
local last = math.min(flags % 2 == SDP and 1 + n or 0, at + limit)
local cursor = struct.pack('<I2I4I2', last, e1, e2)
if last == at then return cursor end
local wanted, first, upto = at == 0, math.max(at, 1) - 1, last - 1
