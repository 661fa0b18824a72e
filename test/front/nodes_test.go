package front

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
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

// TestKeysOfAnyText names the same key in the header and in the query, where it has to be escaped. The peers reach the same node, through
// nginx only with keys that need no escaping: it does not decode a query.
func TestKeysOfAnyText(t *testing.T) {
	keys := map[string]bool{ // whether a query has them as they are
		"plain-key_1.0~": true, "two words": false, "a,b": false, "a, b": false, "a/b": false, "a+b": false, "a=b": false, "a&b": false, "a%20b": false,
		"ключ": false, "钥匙": false, "🗝": false, "a;b": false, `"a"`: false, "#a?": false,
	}
	for name, start := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var servers []string
			for range 8 { // two peers that are sent anywhere meet once in eight times
				servers = append(servers, serve(t, limit.Config{}).addr)
			}
			c := browser(t, start(t, true, servers...), someone)
			missed := 0
			for key, plain := range keys {
				if status, body := ask(t, c, "POST", "/offer/messages", `{"sdp":"o"}`, "key", key); status != 200 || !strings.Contains(body, `"msg":""`) {
					t.Fatalf("opening %q: got %d %s", key, status, body)
				}
				_, body := ask(t, c, "GET", "/answer/messages?key="+url.QueryEscape(key), "")
				if strings.Contains(body, `"data":"o"`) {
					continue
				}
				if missed++; name != "nginx" || plain {
					t.Errorf("%q: got %s, want the offer", key, body)
				}
			}
			if name == "nginx" && missed == 0 {
				t.Error("every key was found, want its configuration's comment, which says that some are not, to be true")
			}
		})
	}
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
