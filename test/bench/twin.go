package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// twin is the messages flow as one would write it on an afternoon with the standard library: a map of sessions under a mutex,
// encoding/json, and a channel that is closed when there is news. It has no limits, no bounds on memory and no retries, so
// it does less than the signaling server in each request.
type twin struct {
	mu sync.Mutex
	// guarded by mu
	sessions map[string]*twinSession
}

type twinSession struct {
	logs   map[string][]twinMessage // by role
	news   chan struct{}            // closed, and made anew, by every write
	expiry *time.Timer              // nil until the session is opened
}

type twinMessage struct {
	Type string `json:"type"`
	Data string `json:"data"`
}

type twinPost struct {
	SDP        string   `json:"sdp"`
	Candidates []string `json:"candidates"`
}

type twinNews struct {
	Next     string        `json:"next"`
	Messages []twinMessage `json:"messages"`
}

type twinAnswer struct {
	Msg  string    `json:"msg"`
	Data *twinNews `json:"data"`
}

const twinTTL = 30 * time.Second

func newTwin() http.Handler {
	t := &twin{sessions: make(map[string]*twinSession)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{role}/messages", t.read)
	mux.HandleFunc("POST /{role}/messages", t.post)
	mux.HandleFunc("DELETE /session", t.end)
	return mux
}

// sessionLocked returns the session. If there is none it makes one, so that the answerer can wait for it.
func (t *twin) sessionLocked(key string) *twinSession {
	s := t.sessions[key]
	if s == nil {
		s = &twinSession{logs: make(map[string][]twinMessage), news: make(chan struct{})}
		t.sessions[key] = s
	}
	return s
}

func (t *twin) post(w http.ResponseWriter, r *http.Request) {
	var post twinPost
	if err := json.NewDecoder(r.Body).Decode(&post); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key, role := r.Header.Get("key"), r.PathValue("role")
	t.mu.Lock()
	s := t.sessionLocked(key)
	if s.expiry == nil {
		s.expiry = time.AfterFunc(twinTTL, func() { t.forget(key) })
	}
	if post.SDP != "" {
		s.logs[role] = append(s.logs[role], twinMessage{"sdp", post.SDP})
	}
	for _, c := range post.Candidates {
		s.logs[role] = append(s.logs[role], twinMessage{"candidate", c})
	}
	close(s.news)
	s.news = make(chan struct{})
	t.mu.Unlock()
	t.read(w, r)
}

func (t *twin) read(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	after, _ := strconv.Atoi(query.Get("after")) // absent: the beginning
	seconds, _ := strconv.ParseFloat(query.Get("wait"), 64)
	other := otherRole(r.PathValue("role"))
	over := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer over.Stop()
	for {
		t.mu.Lock()
		s := t.sessionLocked(r.Header.Get("key"))
		if s.expiry != nil {
			s.expiry.Reset(twinTTL)
		}
		log, news := s.logs[other], s.news
		t.mu.Unlock()
		if len(log) > after || seconds == 0 {
			reply(w, twinAnswer{Data: &twinNews{Next: strconv.Itoa(len(log)), Messages: append([]twinMessage{}, log[after:]...)}})
			return
		}
		select {
		case <-news:
		case <-over.C:
			reply(w, twinAnswer{Msg: "nothing yet"})
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (t *twin) end(w http.ResponseWriter, r *http.Request) {
	t.forget(r.Header.Get("key"))
	reply(w, twinAnswer{})
}

func (t *twin) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sessions[key]; s != nil {
		if s.expiry != nil {
			s.expiry.Stop()
		}
		close(s.news)
		delete(t.sessions, key)
	}
}

func reply(w http.ResponseWriter, answer twinAnswer) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body))) // cheaper than chunks, which net/http would send else
	w.Write(body)
}
