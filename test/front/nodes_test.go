package front

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"signal-server/app/gate/limit"
)

// TestConsistentHashing sends requests of many sessions to nodes that share nothing. The peers of a session name its key in different
// ways. Both reach the same node, and different sessions reach different nodes.
func TestConsistentHashing(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		nodes := []node{serve(t, limit.Config{}), serve(t, limit.Config{}), serve(t, limit.Config{})}
		c := browser(t, start(t, true, nodes[0].addr, nodes[1].addr, nodes[2].addr), someone)
		const sessions = 40
		for i := range sessions {
			key := fmt.Sprintf("session-%d", i)
			header, query := []string{"key", key}, ""
			if i%2 == 0 {
				header, query = nil, "?key="+key
			}
			if status, body := ask(t, c, "POST", "/offer/messages"+query, `{"sdp":"o"}`, header...); status != 200 || !strings.Contains(body, `"msg":""`) {
				t.Fatalf("opening: got %d %s", status, body)
			}
			for query, header := range map[string][]string{"": {"key", key}, "?key=" + key: nil} {
				if _, body := ask(t, c, "GET", "/answer/messages"+query, "", header...); !strings.Contains(body, `"data":"o"`) {
					t.Errorf("key in %q%v: got %s, want the offer", query, header, body)
				}
			}
		}
		for i, n := range nodes {
			found := 0
			for s := range sessions {
				response, err := http.Get(fmt.Sprintf("http://%s/answer/messages?key=session-%d", n.addr, s))
				if err != nil {
					t.Fatal(err)
				}
				text, err := bufio.NewReader(response.Body).ReadString('}')
				if response.Body.Close(); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(text, `"data":"o"`) {
					found++
				}
			}
			if found == 0 || found == sessions {
				t.Errorf("node %d has %d of %d sessions, want a part of them", i, found, sessions)
			}
		}
	})
}

// TestPostsAreNotRepeated sends a POST to servers that carry it out and break the connection before they answer. The proxy must not send
// it to another server, nor again: only the client may repeat it.
func TestPostsAreNotRepeated(t *testing.T) {
	each(t, func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy) {
		var posts atomic.Int64
		p := start(t, false, breaking(t, &posts), breaking(t, &posts))
		c := browser(t, p, someone)
		for range 4 { // proxies commonly repeat a request on a connection that was used before
			if status, body := ask(t, c, "GET", "/healthz", ""); status != 200 {
				t.Fatalf("a GET: got %d %s, want 200", status, body)
			}
		}
		c = browser(t, p, someone)
		transport := c.Transport.(*http.Transport)
		transport.ForceAttemptHTTP2, transport.DisableKeepAlives = false, true // so that this client repeats nothing
		status, _ := ask(t, c, "POST", "/offer/candidate", "c", "key", "k", "Idempotency-Key", "token")
		if got := posts.Load(); got != 1 || status < 500 {
			t.Errorf("got status %d after %d POSTs, want one of 500 and above after 1", status, got)
		}
	})
}

// breaking starts a server that counts POSTs and breaks their connections, answers everything else, and returns its address.
func breaking(t *testing.T, posts *atomic.Int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			panic(http.ErrAbortHandler) // net/http's way to break the connection
		}
		fmt.Fprint(w, `{"msg":"","data":null}`)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return listener.Addr().String()
}
