package accesslog

import (
	"errors"
	"strconv"
)

// Share is a part of all requests: 0 (off) to 1.
type Share float64

func (s Share) valid() bool { return s >= 0 && s <= 1 } // NaN is not

// String returns the share as UnmarshalText reads it: 0.01, or off.
func (s Share) String() string {
	if s == 0 {
		return "off"
	}
	return strconv.FormatFloat(float64(s), 'g', -1, 64)
}

// UnmarshalText reads a share such as 0.01, or 1, or off. The error says what the text must be. After an error the share is unchanged.
func (s *Share) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*s = 0
		return nil
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !Share(n).valid() {
		return errors.New("a share such as 0.01, or 1, or off")
	}
	*s = Share(n)
	return nil
}
