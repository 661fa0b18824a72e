-- The rest of Touch. Returns the epoch, the ttl, what is left of the lifetime (ms), and whether the answer's sdp is put.
return struct.pack('<I4I2I4I4I1', e1, e2, ttl, stop - now, f2 % 2)
