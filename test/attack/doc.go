// Package attack holds tests that do to a server what the internet does, while normal peers go on connecting. Nothing of a
// normal peer may fail, what is attacked stays within its bounds, and afterwards the server ends as if nothing had been. Times
// are logged, not judged: docs/security.md has them from a quiet machine.
package attack
