package redis

import "unsafe"

// unsafeBytes returns the bytes of s without a copy. They are only read: nothing may be written to them, and nothing that they
// are passed to may keep or change them.
func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
