-- The rest of Read. ARGV: packed role that reads, cursor, limit.
local to, at, a1, a2, limit = struct.unpack('<I1I2I4I2I2', ARGV[1])
local from, flags, n, k, index = 2, f2, n2, k2, META_SIZE + 2 * k1
if to == 2 then from, flags, n, k, index = 1, f1, n1, k1, META_SIZE end
if at ~= 0 or a1 ~= 0 or a2 ~= 0 then
  if a1 ~= e1 or a2 ~= e2 then return EXPIRED end
  if at > (flags % 2 == SDP and 1 + n or 0) then return BAD_CURSOR end
end
