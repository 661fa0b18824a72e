-- The rest of Touch. Returns the epoch, the ttl and what is left of the lifetime (ms).
return epoch .. struct.pack('<I4I4', ttl, stop - now)
