package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	// maxFile bounds each file, in bytes: ten thousand tokens.
	maxFile = 1 << 20
	// minSecret is how long the secret of HS256 is at least, in bytes: as long as the hash (RFC 7518, Section 3.2).
	minSecret = 32
)

// readFile returns what the file that a flag names holds.
func readFile(flag, path string) ([]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, fileError(flag, path, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fileError(flag, path, err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s %s: has more than %d bytes", flag, path, maxFile)
	}
	return content, nil
}

// fileError returns err with the flag and with the path once.
func fileError(flag, path string, err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Errorf("%s %s: %w", flag, path, err)
}

func readSecret(path string) ([]byte, error) {
	secret, err := readFile("--auth-jwt-secret-file", path)
	if err != nil {
		return nil, err
	}
	secret = bytes.TrimRight(secret, "\r\n") // editors and echo put them there
	if len(secret) < minSecret {
		return nil, fmt.Errorf("--auth-jwt-secret-file %s: has %d bytes, must have %d or more, of random", path, len(secret), minSecret)
	}
	return secret, nil
}
