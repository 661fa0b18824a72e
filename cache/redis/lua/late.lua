-- Refuses with this server's time, negative, if the script has come too late: whoever asked for it has been told that it was not done.
-- ARGV: packed time by which it is to be done (Unix ms), how long before that nobody can have asked for it (ms). A script that seems to
-- come earlier than that comes from a node that mistakes this server's clock, and may be late for all that we know.
local by, span = struct.unpack('<dI4', ARGV[1])
if now > by or now + span < by then return -now end
