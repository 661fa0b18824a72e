//go:build !unix

package app

// peek always says yes: this system offers no way to look at a connection without reading from it.
func peek(int) bool { return true }
