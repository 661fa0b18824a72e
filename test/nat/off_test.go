package nat_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestWithoutTurn looks at what a server has open that was not told to relay; and at one that was, so that this would be seen.
func TestWithoutTurn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want bool // it relays
	}{{nil, false}, {[]string{"--turn"}, true}} {
		in := newRoom(t)
		s := serve(t, in, test.args...)
		if got := in.open(t, "udp")+in.open(t, "udp6") > 0; got != test.want {
			t.Errorf("%v: got UDP sockets %v, want %v", test.args, got, test.want)
		}
		if got := in.open(t, "tcp", 3478)+in.open(t, "tcp6", 3478) > 0; got != test.want {
			t.Errorf("%v: got port 3478 open %v, want %v", test.args, got, test.want)
		}
		if test.want {
			continue
		}
		response, err := in.http().Get("http://" + s.Addr + "/ice")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if want := `{"msg":"","data":{"ttl":3600,"iceServers":[]}}`; err != nil || response.StatusCode != http.StatusOK || string(body) != want {
			t.Errorf("GET /ice: got %d %s, %v, want 200 %s", response.StatusCode, body, err, want)
		}
	}
}

// open returns how many sockets there are in the room, at one of these ports if there are any, by proc_pid_net(5).
func (in *room) open(t testing.TB, of string, ports ...uint16) (n int) {
	t.Helper()
	var table []byte
	var err error
	in.do(func() { table, err = os.ReadFile("/proc/thread-self/net/" + of) })
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")
	for _, line := range lines[1:] {
		_, at, _ := strings.Cut(strings.Fields(line)[1], ":")
		if len(ports) == 0 || slices.ContainsFunc(ports, func(port uint16) bool { return at == fmt.Sprintf("%04X", port) }) {
			n++
		}
	}
	return n
}
