package ticket

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

const (
	// maxSecrets bounds what the check of one ticket costs. An old secret, the current one and the next one are three.
	maxSecrets = 4
	// maxFile bounds the file, in bytes: there is room for secrets far longer than any use.
	maxFile = 64 << 10
)

// read returns the signers that a file has.
func read(path string) ([]*signer, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, err // it names the path
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	signers, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return signers, nil
}

// parse returns the signers of a file's lines.
func parse(content []byte) (signers []*signer, err error) {
	if len(content) > maxFile {
		return nil, fmt.Errorf("has more than %d bytes", maxFile)
	}
	lines := bytes.Split(bytes.TrimRight(content, "\r\n"), []byte("\n"))
	if len(lines) > maxSecrets {
		return nil, fmt.Errorf("has %d lines, must have %d or fewer", len(lines), maxSecrets)
	}
	for i, line := range lines {
		secret := bytes.TrimRight(line, "\r")
		if len(secret) < MinSecret {
			return nil, fmt.Errorf("line %d has %d bytes, must have %d or more, of random", i+1, len(secret), MinSecret)
		}
		signers = append(signers, newSigner(secret))
	}
	return signers, nil
}
