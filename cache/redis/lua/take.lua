-- The rest of Take. ARGV: packed numbers of late.lua, role that takes, kind, limit, epoch of the session that is meant, what the token is
-- bound to; the token. What a token has got is kept behind what it is bound to, as two places that a cursor has.
local SDP_KIND = 1
local to, kind, limit, m1, m2 = struct.unpack('<I1I1I2I4I2', ARGV[1], 13)
local from, flags, n, taken, k, index, place = 2, f2, n2, t2, k2, META_SIZE + 2 * k1, 41
if to == 2 then from, flags, n, taken, k, index, place = 1, f1, n1, t1, k1, META_SIZE, 34 end -- places of flags in META
local wanted = kind == SDP_KIND
local again = seen and #seen == 20 and string.sub(seen, 1, 16) == bound
local refused
if (m1 ~= 0 or m2 ~= 0) and (m1 ~= e1 or m2 ~= e2) then refused = EXPIRED
elseif again then
elseif seen then refused = REUSED
elseif wanted and flags ~= SDP then refused = NO_SDP
elseif not wanted and taken == n then refused = NO_CANDIDATE end
if refused then return refused end
if limit == 0 then return {} end -- there is something to take
local first, upto = taken, wanted and taken or math.min(n, taken + limit)
if again then
  first, upto = struct.unpack('<I2I2', seen, 17)
  wanted, first, upto = first == 0, math.max(first, 1) - 1, upto - 1
end
