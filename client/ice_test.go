package client_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
	"signal-server/test/until"
)

const twoServers = `{"msg":"","data":{"ttl":%s,"iceServers":[{"urls":["stun:a"]},{"urls":["turn:a?transport=udp","turn:a?transport=tcp"],"username":"u","credential":"p"}]}}`

// tellsICE serves GET /ice with that answer, and counts the requests.
func tellsICE(t *testing.T, handle http.HandlerFunc) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/ice" || r.Method != http.MethodGet || r.URL.RawQuery != "" || r.Header.Get("Key") != "" {
			t.Errorf("got %s %s with the key %q, want GET /ice", r.Method, r.URL, r.Header.Get("Key"))
		}
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// iceClient returns a client without connections that outlive the test.
func iceClient(t *testing.T, url string, opts ...client.Option) *client.Client {
	t.Helper()
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c, err := client.New(url, append([]client.Option{client.WithHTTPClient(hc)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func TestICEServersAreKept(t *testing.T) {
	url, asked := tellsICE(t, says(fmt.Sprintf(twoServers, "3600")))
	want := []client.ICEServer{{URLs: []string{"stun:a"}}, {URLs: []string{"turn:a?transport=udp", "turn:a?transport=tcp"}, Username: "u", Credential: "p"}}
	var all sync.WaitGroup
	for range 20 {
		c := iceClient(t, url)
		all.Go(func() {
			got, err := c.ICEServers(t.Context())
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v (%v), want %v", got, err, want)
			}
			got[1].URLs[0], got[0].Username = "changed", "changed"
		})
	}
	all.Wait()
	s, err := iceClient(t, url).Session("key", client.Offer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.ICEServers(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("a Session, later: got %v (%v), want %v", got, err, want)
	}
	if asked.Load() != 1 {
		t.Errorf("asked: got %d times, want once", asked.Load())
	}
	for range 2 {
		if _, err := iceClient(t, url, client.WithToken("another")).ICEServers(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("with another token: got %d requests, want 2", asked.Load())
	}
}

func TestICEServersAreForgotten(t *testing.T) {
	url, asked := tellsICE(t, says(fmt.Sprintf(twoServers, "3600")))
	c := iceClient(t, url)
	for range 2 {
		if _, err := c.ICEServers(t.Context()); err != nil {
			t.Fatal(err)
		}
		iceClient(t, url).ForgetICEServers()
	}
	if asked.Load() != 2 {
		t.Errorf("asked: got %d times, want 2", asked.Load())
	}
}

func TestICEServersAreAskedForAgain(t *testing.T) {
	url, asked := tellsICE(t, says(fmt.Sprintf(twoServers, "0.2")))
	begun := time.Now()
	c := iceClient(t, url)
	until.Nil(t, 10*time.Second, func() error {
		if _, err := c.ICEServers(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := asked.Load(); n < 3 {
			return fmt.Errorf("asked: got %d times, want 3", n)
		}
		return nil
	})
	if took := time.Since(begun); took < 200*time.Millisecond {
		t.Errorf("asked three times within %v, want once in 100ms", took)
	}
}

func TestICEServersThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		handle http.HandlerFunc
		want   error
	}{
		"a server without the route": {http.NotFound, nil},
		"a refusal": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprintf(w, `{"msg":%q,"data":null}`, custerrors.TooManyRequests)
		}, custerrors.TooManyRequests},
		"another server": {says("<html>"), client.ErrBrokenAnswer},
		"other data":     {says(`{"msg":"","data":[1]}`), client.ErrBrokenAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := tellsICE(t, tt.handle)
			for range 3 { // it is not asked again at once
				got, err := iceClient(t, url).ICEServers(t.Context())
				if err == nil || len(got) != 0 || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v (%v), want an error (%v)", got, err, tt.want)
				}
			}
			if asked.Load() != 1 {
				t.Errorf("asked: got %d times, want once", asked.Load())
			}
		})
	}
}

// TestICEServersOfOneWhoGivesUp wants a caller that gives up not to take the answer from one that waits.
func TestICEServersOfOneWhoGivesUp(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	url, _ := tellsICE(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		fmt.Fprintf(w, twoServers, "60")
	})
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := iceClient(t, url).ICEServers(ctx)
		gaveUp <- err
	}()
	<-begun
	waits := make(chan error, 1)
	go func() {
		_, err := iceClient(t, url).ICEServers(t.Context())
		waits <- err
	}()
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: got %v, want %v", err, context.Canceled)
	}
	close(release)
	if err := <-waits; err != nil {
		t.Errorf("who waits: got %v, want nil", err)
	}
}

func TestICEServersThatAreSlow(t *testing.T) {
	release := make(chan struct{})
	url, _ := tellsICE(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	begun := time.Now()
	if _, err := iceClient(t, url).ICEServers(t.Context()); err == nil {
		t.Error("got nil, want an error")
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v, want 2s", took)
	}
}

func TestICEServersWithTokens(t *testing.T) {
	url, _ := tellsICE(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"msg":%q,"data":null}`, custerrors.NotAuthenticated)
			return
		}
		fmt.Fprintf(w, twoServers, "60")
	})
	got, err := iceClient(t, url, client.WithTokenFunc(tokens("old", "new"))).ICEServers(t.Context())
	if err != nil || len(got) != 2 {
		t.Errorf("got %v (%v), want two servers", got, err)
	}
}

// TestICEServersWithTokensThatDiffer has a Client whose func signs a token for each request.
func TestICEServersWithTokensThatDiffer(t *testing.T) {
	url, asked := tellsICE(t, says(fmt.Sprintf(twoServers, "60")))
	fresh := func(context.Context) (string, error) { return rand.Text(), nil }
	c := iceClient(t, url, client.WithTokenFunc(fresh))
	for i, want := range []int64{1, 1, 2} {
		if i == 2 {
			c.ForgetICEServers()
		}
		got, err := c.ICEServers(t.Context())
		if err != nil || len(got) != 2 {
			t.Errorf("call %d: got %v (%v), want two servers", i, got, err)
			continue
		}
		got[0].URLs[0] = "changed"
		if n := asked.Load(); n != want {
			t.Errorf("call %d: asked %d times, want %d", i, n, want)
		}
	}
	if got, err := c.ICEServers(t.Context()); err != nil || got[0].URLs[0] != "stun:a" {
		t.Errorf("got %v (%v), want a list that nobody has changed", got, err)
	}
}

// TestICEServersWithATokenThatIsRefused wants the request with the next token to have what the first one has left of the 2 s.
func TestICEServersWithATokenThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuses := transport(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") == "Bearer new" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			<-time.After(1500 * time.Millisecond)
			body := fmt.Sprintf(`{"msg":%q,"data":null}`, custerrors.NotAuthenticated)
			return &http.Response{StatusCode: http.StatusUnauthorized, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		c, err := client.New("http://slow.example", client.WithHTTPClient(&http.Client{Transport: refuses}), client.WithTokenFunc(tokens("old", "new")))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := c.ICEServers(t.Context()); err == nil {
			t.Error("got nil, want an error")
		}
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("it took %v, want 2s", took)
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
