package iceserver

import (
	"slices"
	"time"
)

// Source gives out some ICE servers, and what clients authenticate by there.
type Source struct {
	URIs []URI
	// Secrets sign credentials that end; nil: the Static one counts, which may be empty where no URI Relays.
	Secrets *Secrets
	Static  Credential
}

// List is what clients put into RTCConfiguration.iceServers. It does not change. Its methods may be called concurrently.
type List struct {
	// set at construction
	stun   []URI
	relays []Source // with URIs that relay only
	left   []URI
	ttl    time.Duration
}

// MaxURIs is how many URIs a List has at the most: browsers get slow from five on, and warn.
const MaxURIs = 4

// NewList returns the list of all sources. Of more than MaxURIs it leaves out some. ttl is how long credentials are good for new relays.
func NewList(ttl time.Duration, sources ...Source) *List {
	type entry struct {
		URI
		source, spare int
	}
	l := &List{ttl: ttl}
	var all []entry
	hasSTUN := false
	for i, s := range sources {
		for _, u := range s.URIs {
			spare := u.spare()
			if !u.Relays() && hasSTUN {
				spare += lastOfAll // one is enough
			}
			hasSTUN = hasSTUN || !u.Relays()
			all = append(all, entry{u, i, spare})
		}
	}
	if len(all) > MaxURIs {
		slices.SortStableFunc(all, func(a, b entry) int { return a.spare - b.spare })
		for _, e := range all[MaxURIs:] {
			l.left = append(l.left, e.URI)
		}
		all = all[:MaxURIs]
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.rank() - b.rank() })
	l.relays = make([]Source, len(sources))
	for i, s := range sources {
		l.relays[i] = Source{Secrets: s.Secrets, Static: s.Static}
	}
	for _, e := range all {
		if e.Relays() {
			l.relays[e.source].URIs = append(l.relays[e.source].URIs, e.URI)
		} else {
			l.stun = append(l.stun, e.URI)
		}
	}
	l.relays = slices.DeleteFunc(l.relays, func(s Source) bool { return len(s.URIs) == 0 })
	return l
}

// URIs returns all that clients are told of, and those that are left out because there are more than MaxURIs.
func (l *List) URIs() (told, left []URI) {
	told = slices.Clone(l.stun)
	for _, s := range l.relays {
		told = append(told, s.URIs...)
	}
	return told, l.left
}

// Grants reports whether the list has credentials, so that it is worth something to a stranger.
func (l *List) Grants() bool { return len(l.relays) > 0 }

// Server is an RTCIceServer (W3C WebRTC, Section 4.2.4) in JSON.
type Server struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
} //	@name	ICEServer

// For returns the servers for whoever asks (see Secrets.Issue), as of now: never nil.
func (l *List) For(who string, now time.Time) []Server {
	all := make([]Server, 0, 1+len(l.relays))
	if len(l.stun) > 0 {
		all = append(all, Server{URLs: texts(l.stun)})
	}
	for _, s := range l.relays {
		c := s.Static
		if s.Secrets != nil {
			c = s.Secrets.Issue(who, now.Add(l.ttl))
		}
		all = append(all, Server{texts(s.URIs), c.Username, c.Password})
	}
	return all
}

// TTL returns how long the credentials of For are good for new relays.
func (l *List) TTL() time.Duration { return l.ttl }

func texts(uris []URI) []string {
	all := make([]string, len(uris))
	for i, u := range uris {
		all[i] = u.text
	}
	return all
}
