end
if refused then return refused end
if reads == 0 then return 0 end
from, flags, n, k = 3 - from, other, held, chunks
