// Package secrets reads a file of secrets: one a line. The first one is for what is made now, all are good for what was made before. So
// a secret is replaced without a break: append the new one on every node, then put it first, and take the old one away when nothing of its
// time is used any more.
//
// The package does not know what the secrets are for.
package secrets

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/units"
)

const (
	// Min is the least length of a secret, in bytes: that of a SHA-256 hash (RFC 2104, Section 3).
	Min = 32
	// Max bounds how many secrets a file may have, and so what it costs to try all. An old secret, the current one and the next one are three.
	Max = 4
	// MaxFile bounds a file, in bytes: there is room for secrets far longer than any use.
	MaxFile = 64 << 10
)

// Read returns the secrets of a file, as Parse does. The error names the file.
func Read(path string) (all [][]byte, err error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, err // it names the path
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if all, err = Parse(content); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// Parse returns the secrets that a file holds, 1 to Max. They are parts of content. The error quotes nothing of them.
func Parse(content []byte) (all [][]byte, err error) {
	if len(content) > MaxFile {
		return nil, fmt.Errorf("has more than %v", units.Base2Bytes(MaxFile))
	}
	lines := bytes.Split(bytes.TrimRight(content, "\r\n"), []byte("\n"))
	if len(lines) > Max {
		return nil, fmt.Errorf("has %d lines, must have %d or fewer", len(lines), Max)
	}
	for i, line := range lines {
		secret := bytes.TrimRight(line, "\r")
		if len(secret) < Min {
			return nil, fmt.Errorf("line %d has %d bytes, must have %d or more, of random", i+1, len(secret), Min)
		}
		all = append(all, secret)
	}
	return all, nil
}
