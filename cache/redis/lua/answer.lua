-- Answers with a cursor, and with the frames of at most limit messages behind position at. It needs from, flags, n, k and index of the
-- log, as fetch.lua does. The candidates are held back until their sdp is there.
local last = math.min(flags % 2 == SDP and 1 + n or 0, at + limit)
local cursor = struct.pack('<I2I4I2', last, e1, e2)
if last == at then return cursor end
local wanted, first, upto = at == 0, math.max(at, 1) - 1, last - 1
