-- The rest of Write. ARGV: packed numbers, the token, the sdp's frame, the candidates' frames. Each but the first may be empty.
--
-- room is how many bytes may still be written to the session although maxmemory is reached, so that new sessions are refused before
-- running ones.
local ROOM = 4096 -- beside as much as the first write
local MAX_SDP, MAX_CANDS = 16384, 4096 -- bytes of frames that news carry; readers look for more than that
local from, opens, at, a1, a2, limit, fresh1, fresh2, askedttl, life, bytes, more, maxmore, maxsize =
  struct.unpack('<I1I1I2I4I2I2I4I2I4I4I4I4I4I4', ARGV[1], 13)
local sdp, cands = ARGV[3], ARGV[4]
local begin, refused, index = at == 0 and a1 == 0 and a2 == 0, nil, META_SIZE
if not lives then
  if opens == 0 or not begin then return KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 and EXPIRED or NOT_FOUND end
  if m then -- it is over, but Redis keeps it to the end of this millisecond: nothing of it goes into the next session
    redis.call('UNLINK', KEYS[1])
    seen = nil
  end
  e1, e2, stop, ttl, tomb, size, room = fresh1, fresh2, now + life, askedttl, 0, 0, #sdp + #cands + ROOM
  f1, n1, t1, k1, f2, n2, t2, k2 = 0, 0, 0, 0, 0, 0, 0, 0
  deadline, due = math.min(now + ttl, stop), true
end
local flags, n, k, other, held, chunks = f1, n1, k1, f2, n2, k2 -- of the role that writes, and of the role that is read
if from == 2 then flags, n, k, other, held, chunks = f2, n2, k2, f1, n1, k1 else index = index + 2 * k1 end

if not begin then
  if a1 ~= e1 or a2 ~= e2 then refused = EXPIRED
  elseif at > (other % 2 == SDP and 1 + held or 0) then refused = BAD_CURSOR end
end
if seen and not refused and seen ~= bound then
  -- Nodes of the version before keep an empty field: such a token is bound to the sdp only.
  if seen ~= '' or sdp ~= '' and redis.call('HGET', KEYS[1], 's' .. from) ~= sdp then refused = REUSED end
end
if not refused and not seen then
  if opens == 1 and lives or sdp ~= '' and flags % 2 == SDP then refused = SDP_EXISTS
  elseif n + more > maxmore then refused = FULL
  elseif size + bytes > maxsize then refused = TOO_LONG end
end

if not refused and not seen then
  local need = #sdp + #cands
  local force = lives and need <= room
  if lives then room = math.max(room - need, 0) end
  if due then tomb = deadline + GRACE + SLACK end
  local starts1 = lives and string.sub(m, META_SIZE + 1, META_SIZE + 2 * k1) or ''
  local starts2 = lives and string.sub(m, META_SIZE + 1 + 2 * k1) or ''
  local w = {'HSET', KEYS[1], 'm', ''}
  if sdp ~= '' then
    flags = flags + SDP
    w[5], w[6] = 's' .. from, sdp
  end
  if cands ~= '' then
    k = k + 1
    if from == 1 then starts1 = starts1 .. struct.pack('<I2', n) else starts2 = starts2 .. struct.pack('<I2', n) end
    w[#w + 1] = 'c' .. from .. k
    w[#w + 1] = cands
    n = n + more
  end
  if token then
    w[#w + 1] = token
    w[#w + 1] = bound
  end
  if from == 1 then f1, n1, k1 = flags, n, k else f2, n2, k2 = flags, n, k end
  w[4] = struct.pack(META, e1, e2, stop, tomb, ttl, size + bytes, room, f1, n1, t1, k1, f2, n2, t2, k2) .. starts1 .. starts2
  local r = redis.pcall(unpack(w))
  if type(r) == 'table' then -- an error
    if not string.find(r.err, 'OOM', 1, true) then return r end
    if not lives then return OVERRUN end
    if KEYS[2] then redis.call('PEXPIREAT', KEYS[2], tomb) else redis.call('PEXPIREAT', KEYS[1], deadline) end -- see renew.lua
    if force then redis.call(unpack(w))
    else refused = OVERRUN end
  elseif due and KEYS[2] and (lives == false or redis.call('PEXPIREAT', KEYS[2], tomb) == 0) then
    redis.call('SET', KEYS[2], '', 'PXAT', tomb)
  end
  redis.call('PEXPIREAT', KEYS[1], deadline)
  if refused then return refused end
  -- The news say what is new if that is all that has become readable: see news.heard.
  local news = from == 1 and '2' or '1'
  if opens == 1 then news = from == 1 and '3' or '4' end
  if flags % 2 == SDP and (sdp == '' or n == more) and #sdp <= MAX_SDP and #cands <= MAX_CANDS then
    redis.call('SPUBLISH', KEYS[1], news .. struct.pack('<I2I4I2', sdp == '' and 1 + n - more or 0, e1, e2) .. cands)
    if sdp ~= '' then redis.call('SPUBLISH', KEYS[1], sdp) end
  else
    redis.call('SPUBLISH', KEYS[1], news)
  end
  m = w[4]
  if from == 2 then index = META_SIZE else index = META_SIZE + 2 * k1 end
elseif lives then
