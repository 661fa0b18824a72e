package ticket

import "signal-server/app/secrets"

// read returns the signers that a file has.
func read(path string) (signers []*signer, err error) {
	all, err := secrets.Read(path)
	for _, secret := range all {
		signers = append(signers, newSigner(secret))
	}
	return signers, err
}
