//go:build unix

package link

import (
	"math"
	"syscall"
)

// Descriptors returns how many descriptors the process may have; 0: it is not known. Go has raised it to what the system allows.
func Descriptors() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(uint64(l.Cur), math.MaxInt32))
}
