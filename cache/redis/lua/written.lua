end
if refused then return refused end
if limit == 0 then return EPOCHS + e1 + 0x100000000 * e2 end
from, flags, n, k = 3 - from, other, held, chunks
