package redis

import "unsafe"

// unsafeBytes returns the bytes of s without a copy. The rule: they are only read, and no function that gets them keeps or changes
// them.
func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// unsafeString returns b as a string without a copy. The rule: it is used only while nobody changes b.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
