package cache

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/alecthomas/units"
)

// Share is how much of a memory one client may have: a part of it, or a number of bytes. The zero Share is no limit.
type Share struct {
	Part  int64 // one in so many: 8 is an eighth; 0: Bytes counts
	Bytes int64
}

// Of returns the share of a memory of so many bytes; 0: there is no limit. Of a memory of unknown size, 0, no part is known, and none a limit.
func (s Share) Of(memory int64) int64 {
	switch {
	case s.Part <= 0:
		return s.Bytes
	case memory <= 0:
		return 0
	default:
		return max(memory/s.Part, 1)
	}
}

// String returns the share as UnmarshalText reads it: 1/8, 64MiB, or 0.
func (s Share) String() string {
	switch {
	case s.Part != 0:
		return "1/" + strconv.FormatInt(s.Part, 10)
	case s.Bytes == 0:
		return "0"
	default:
		return units.Base2Bytes(s.Bytes).String()
	}
}

// UnmarshalText reads a part such as 1/8, a size such as 64MiB, or 0. The error says what the text must be. After an error the share is
// unchanged.
func (s *Share) UnmarshalText(text []byte) error {
	wrong := errors.New("a part of the memory such as 1/8, a size such as 64MiB, or 0")
	if part, ok := strings.CutPrefix(string(text), "1/"); ok {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 1 || part[0] == '+' {
			return wrong
		}
		*s = Share{Part: n}
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		n, err = units.ParseStrictBytes(string(text))
	}
	if err != nil || n < 0 || n == math.MaxInt64 {
		return wrong
	}
	*s = Share{Bytes: n}
	return nil
}
