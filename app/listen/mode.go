package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Mode is the permissions of a socket of the Unix family. Whoever may write to it may connect (unix(7)).
type Mode fs.FileMode

// String returns the mode as UnmarshalText reads it: in octal, with four digits.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// UnmarshalText reads permissions in octal, such as 0660. The error says what the text must be. After an error the mode is unchanged.
func (m *Mode) UnmarshalText(text []byte) error {
	mode, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || fs.FileMode(mode)&^fs.ModePerm != 0 {
		return errors.New("permissions in octal, such as 0660")
	}
	*m = Mode(mode)
	return nil
}
