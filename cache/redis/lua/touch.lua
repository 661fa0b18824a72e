-- The rest of Touch. Returns the epoch, the ttl, what is left of the lifetime (ms), and whether the answer's sdp is put.
return epoch .. struct.pack('<I4I4I1', ttl, stop - now, f2 % 2)
