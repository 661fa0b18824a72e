package text

import "unsafe"

// unsafeString returns b as a string that shares its memory. The rule: it is used only while b is not written to, and never
// kept beyond the text that b is a part of.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
