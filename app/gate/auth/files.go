package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/alecthomas/units"
)

// What the files are, in errors.
const (
	tokensFile = "tokens file"
	secretFile = "JWT secret file" // #nosec G101 -- the name of a setting, not a secret
	jwksFile   = "JWKS file"
)

const (
	// maxFile bounds each file, in bytes: there is room for ten thousand tokens.
	maxFile = 1 << 20
	// minSecret is the least length of the secret of HS256, in bytes: that of the hash (RFC 7518, Section 3.2).
	minSecret = 32
)

// readFile returns what the file holds. The error calls the file by what.
func readFile(what, path string) ([]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, fileError(what, path, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fileError(what, path, err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s %s: has more than %v", what, path, units.Base2Bytes(maxFile))
	}
	return content, nil
}

// fileError returns err with what the file is, and with its path once.
func fileError(what, path string, err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Errorf("%s %s: %w", what, path, err)
}

func readSecret(path string) ([]byte, error) {
	secret, err := readFile(secretFile, path)
	if err != nil {
		return nil, err
	}
	secret = bytes.TrimRight(secret, "\r\n") // which editors and echo append
	if len(secret) < minSecret {
		return nil, fmt.Errorf("%s %s: has %d bytes, must have %d or more, of random", secretFile, path, len(secret), minSecret)
	}
	return secret, nil
}
