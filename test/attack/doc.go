// Package attack holds tests that do to a server what the internet does, while normal peers go on connecting. No handshake of a normal
// peer may fail, the server stays within its bounds, and afterwards it ends as after a quiet day. The tests log times and do not judge
// them: docs/security.md has those of a quiet machine.
package attack
