// Package port finds ports for programs that have to be told theirs.
//
// It is for tests only. It knows nothing of what is tested.
package port

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

const loopback = "127.0.0.1"

// attempts bounds how many ports Hold looks at.
const attempts = 100

// Hold returns an address of the loopback, 127.0.0.1:PORT, that nobody listens at and that the test may, as often as it likes. So may the
// programs that it starts. above are offsets to further ports that are held in the same way.
//
// Until the test's end the system gives these ports to nobody who asks for any port, whether to listen or to dial. (It does where the
// system is no Unix: there they were free when Hold returned.)
func Hold(t testing.TB, above ...int) string {
	t.Helper()
	for range attempts {
		number, release, err := hold(0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		if holdAll(t, number, above) {
			return net.JoinHostPort(loopback, strconv.Itoa(number))
		}
	}
	t.Fatalf("got no free port with others %v above it after %d attempts", above, attempts)
	return ""
}

// Of returns the port of an address that has one, such as those of Hold.
func Of(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// holdAll holds the ports at the offsets above the number until the test's end. It reports whether they were free.
func holdAll(t testing.TB, number int, above []int) bool {
	for _, offset := range above {
		_, release, err := hold(number + offset)
		if err != nil {
			return false
		}
		t.Cleanup(release)
	}
	return true
}
