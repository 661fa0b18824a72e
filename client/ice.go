package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// ICEServer is a STUN or TURN server that the signaling server tells of: webrtc.ICEServer, without the dependency. Username and Credential are empty
// for STUN.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// ICEServers returns the STUN and TURN servers that the signaling server tells of (GET /ice); none if it knows of none. Their credentials are good for
// new relays for half of the time at least that the server gives them.
//
// Answers are kept in memory for that long, for all Clients of this process that have the same base URL and token. Callers that come together ask once.
// A Client of WithTokenFunc keeps its own, too, whatever token it is given next. A failure is kept for 10 s.
//
// An answer may take 2 s. Nothing is sent again, but with another token if the first one is refused: an error, of which a server without GET /ice is
// one, is best taken for an empty list.
func (c *Client) ICEServers(ctx context.Context) (all []ICEServer, err error) {
	if key := c.listed.Load(); key != nil {
		if l, kept := lists.known(*key); kept {
			return l.copy(), l.err
		}
	}
	left := iceTimeout // for both requests, if the first token is refused
	err = c.bearer.use(ctx, c.timeout, func(token string) (err error) {
		began, within := time.Now(), left
		key := listKey{c.base.String(), sha256.Sum256([]byte(token))}
		all, err = lists.get(ctx, key, func() (list, error) { return c.askICE(ctx, token, within) })
		left -= time.Since(began)
		if c.bearer.ask != nil {
			c.listed.Store(&key)
		}
		return err
	})
	return all, err
}

// ForgetICEServers has the next caller of ICEServers ask the server, whatever it has answered before: for those who were refused by the servers of the
// list, as after a restart that has changed a secret.
func (c *Client) ForgetICEServers() { lists.forget(c.base.String()) }

// ForgetICEServers is Client.ForgetICEServers.
func (s *Session) ForgetICEServers() { s.client.ForgetICEServers() }

// ICEServers is Client.ICEServers.
func (s *Session) ICEServers(ctx context.Context) ([]ICEServer, error) {
	return s.client.ICEServers(ctx)
}

const (
	iceTimeout   = 2 * time.Second
	iceFailedFor = 10 * time.Second // so long a server that fails holds up nobody else
	mostLists    = 256              // of as many servers and tokens
)

// list is what a server has answered.
type list struct {
	all   []ICEServer
	err   error
	since time.Time // when it was kept. A clock that says less was set back
	until time.Time // when it is to be asked again
}

// copy returns servers that may be changed.
func (l list) copy() []ICEServer {
	all := make([]ICEServer, len(l.all))
	for i, s := range l.all {
		all[i] = ICEServer{append([]string(nil), s.URLs...), s.Username, s.Credential}
	}
	return all
}

type listKey struct {
	base  string
	token [sha256.Size]byte // a hash, so that none is kept
}

// lists are kept for the whole process: a program makes a Client for each connection, and each would ask.
var lists = listCache{kept: make(map[listKey]list)}

type listCache struct {
	asking singleflight.Group

	mu sync.Mutex
	// guarded by mu
	kept map[listKey]list
}

// get returns the list of that key, by ask if it is not kept. What it returns may be changed.
func (c *listCache) get(ctx context.Context, key listKey, ask func() (list, error)) ([]ICEServer, error) {
	l, kept := c.known(key)
	if !kept {
		done := c.asking.DoChan(fmt.Sprintf("%s %x", key.base, key.token), func() (any, error) {
			if l, kept := c.known(key); kept { // since this caller has looked, others have asked
				return l, nil
			}
			l, err := ask()
			if err != nil {
				l = list{err: err, until: time.Now().Add(iceFailedFor)}
			}
			c.keep(key, l)
			return l, nil
		})
		select {
		case r := <-done:
			l, _ = r.Val.(list)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return l.copy(), l.err
}

// known returns the list of that key if it is kept and not over.
func (c *listCache) known(key listKey) (l list, kept bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, kept = c.kept[key]
	now := time.Now()
	return l, kept && !now.After(l.until) && !now.Before(l.since)
}

// forget forgets the lists of a server.
func (c *listCache) forget(base string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.kept {
		if k.base == base {
			delete(c.kept, k)
		}
	}
}

// keep keeps a list, in place of what is over or, if there are too many, of any other.
func (c *listCache) keep(key listKey, l list) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for k, old := range c.kept {
		if now.After(old.until) {
			delete(c.kept, k)
		}
	}
	for k := range c.kept {
		if len(c.kept) < mostLists {
			break
		}
		delete(c.kept, k)
	}
	c.kept[key] = l
}

// askICE asks the server, whether or not the caller still waits: others may.
func (c *Client) askICE(ctx context.Context, token string, within time.Duration) (list, error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), within, errors.New("no answer within 2 s"))
	defer cancel()
	r := request{method: http.MethodGet, path: "/ice"}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base.JoinPath(r.path).String(), nil) // #nosec G125 -- the path is a constant
	if err != nil {
		return list{}, r.failed(err)
	}
	data, _, err := c.exchange(ctx, r, req, token)
	if err != nil {
		return list{}, err
	}
	var answer struct {
		TTL        float64     `json:"ttl"` // seconds
		ICEServers []ICEServer `json:"iceServers"`
	}
	if err := r.decode(data, &answer); err != nil {
		return list{}, err
	}
	const most = 24 * time.Hour
	kept := time.Duration(min(max(answer.TTL, 0), most.Seconds()) / 2 * float64(time.Second))
	now := time.Now().Round(0) // by the clock, which goes on while a computer sleeps
	return list{all: answer.ICEServers, since: now, until: now.Add(kept)}, nil
}
