package ticket

import (
	"fmt"
	"io"
	"os"

	"signal-server/app/secrets"
)

// read returns the signers that a file has.
func read(path string) ([]*signer, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, err // it names the path
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, secrets.MaxFile+1))
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
	all, err := secrets.Parse(content)
	for _, secret := range all {
		signers = append(signers, newSigner(secret))
	}
	return signers, err
}
