package app

import (
	"errors"
	"fmt"
	"io"
	"os"

	"signal-server/app/flag"
	"signal-server/app/gate/auth"
	"signal-server/cache"
)

// tokenCommand makes a token: the client gets the token, the tokens file its line.
type tokenCommand struct {
	Name string `arg:"" optional:"" help:"What the file calls it, for people: 1 to 32 letters, digits, and . _ @ -"`
	Key  string `env:"-" help:"The one session key that the token is good for; none: any." placeholder:"KEY"`
	Role string `env:"-" help:"The one role that the token may act as, offer or answer; none: both." placeholder:"ROLE"`
	File string `env:"-" help:"Append the token's line to this file; none: print it, too." placeholder:"FILE"`
}

// run makes a token and prints it.
func (c *tokenCommand) run(out io.Writer, wrong flag.Mistakes) error {
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	grant := auth.Grant{Name: c.Name, Key: cache.Key(c.Key)}
	switch c.Role {
	case "":
	case cache.Offer.String():
		grant.Role = cache.Offer
	case cache.Answer.String():
		grant.Role = cache.Answer
	default:
		return fmt.Errorf("--role is %q, must be offer or answer", c.Role)
	}
	token, line, err := auth.Mint(grant)
	if err != nil {
		return err
	}
	if c.File == "" {
		_, err := fmt.Fprintf(out, "%s\n%s\n", token, line)
		return err
	}
	if err := appendLine(c.File, line); err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	_, err = fmt.Fprintln(out, token)
	return err
}

// appendLine appends a line to the file, which is made if there is none, for its owner alone. A last line that has no end gets one.
func appendLine(path, line string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600) // #nosec G304 -- who runs the command names it
	if err != nil {
		return err
	}
	if whole, err := endsInLine(file); err != nil {
		return errors.Join(err, file.Close())
	} else if !whole {
		line = "\n" + line
	}
	_, err = file.WriteString(line + "\n")
	return errors.Join(err, file.Close())
}

// endsInLine reports whether the file is empty, or its last line has an end.
func endsInLine(file *os.File) (bool, error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return true, err
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], info.Size()-1)
	return last[0] == '\n', err
}
