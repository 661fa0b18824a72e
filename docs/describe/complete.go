package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-openapi/spec"

	"signal-server/custerrors"
)

// Any request may be refused by these, whatever its route.
var anywhere = []custerrors.Error{
	custerrors.RequestIsInvalid, custerrors.HTTPSIsRequired, custerrors.RequestIsTooSlow, custerrors.TooManyRequests,
	custerrors.HeaderIsTooLong, custerrors.ServerIsOverloaded,
}

// A request that names a key may be refused by these, too.
var keyed = []custerrors.Error{custerrors.NotAuthenticated, custerrors.NotAllowed}

// A request for a session says which one by one of these: each set is a way in. A server wants a token if it has been given tokens or keys of
// issuers, and tickets with --role-tickets.
var waysIn = []map[string][]string{
	{"key": {}},
	{"key": {}, "token": {}},
	{"key": {}, "x-offer-ticket": {}, "x-answer-ticket": {}},
	{"key": {}, "token": {}, "x-offer-ticket": {}, "x-answer-ticket": {}},
}

// waysInWithoutKey are those of a request that need not be for a session.
var waysInWithoutKey = []map[string][]string{{}, {"token": {}}}

const (
	sdp       = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	candidate = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"
)

// asked is what routes without an error answer, by the end of their paths.
var asked = map[string]any{
	"sdp":        sdp,
	"candidate":  candidate,
	"candidates": []string{candidate},
	"ice": iceServers{3600, []map[string]any{
		{"urls": []string{"stun:turn.example.org:3478"}},
		{
			"urls":     []string{"turn:turn.example.org:3478?transport=udp", "turn:turn.example.org:3478?transport=tcp"},
			"username": "1795737747:Zm9vYmFyYmE", "credential": "VTqlZgXawiqwa3RPBlg/NoTnMSk=", // #nosec G101 -- of nobody
		},
	}},
	"messages": news{"kgfxbQ5OAAI", []message{{"sdp", sdp}, {"candidate", candidate}}},
}

type news struct {
	Next     string    `json:"next"`
	Messages []message `json:"messages"`
}

type iceServers struct {
	TTL        int              `json:"ttl"`
	ICEServers []map[string]any `json:"iceServers"`
}

type message struct {
	Type string `json:"type"`
	Data string `json:"data"`
}

const (
	inJSON   = "application/json"
	inEvents = "text/event-stream"

	events = "id: kgfxbQ5OAAE\nevent: sdp\ndata: \"v=0\\r\\no=- 4611731400430051336 2 IN IP4 127.0.0.1\\r\\ns=-\\r\\nt=0 0\\r\\n\"\n\n" +
		"id: kgfxbQ5OAAI\nevent: candidate\ndata: \"" + candidate + "\"\n\n"
)

// complete adds to each route what it does not say itself.
func complete(doc *spec.Swagger) error {
	doc.Info.Description = unwrapped(doc.Info.Description)
	for path, item := range doc.Paths.Paths {
		for method, op := range map[string]*spec.Operation{"get": item.Get, "post": item.Post, "delete": item.Delete} {
			if op == nil {
				continue
			}
			op.ID = method + strings.ReplaceAll(strings.ReplaceAll(path, "{role}/", ""), "/", "-") // links into the page have it, too
			if err := completeOperation(path, op); err != nil {
				return fmt.Errorf("%s %s: %w", method, path, err)
			}
		}
	}
	return nil
}

func completeOperation(path string, op *spec.Operation) error {
	op.Description = unwrapped(op.Description)
	refusals := anywhere
	kind := path[strings.LastIndexByte(path, '/')+1:]
	if slices.ContainsFunc(op.Parameters, func(p spec.Parameter) bool { return p.Name == "key" }) {
		refusals = slices.Concat(keyed, anywhere)
		op.Security = waysIn
		if kind == "ice" {
			op.Security = waysInWithoutKey
		}
	}
	for _, msg := range refusals {
		r, ok := op.Responses.StatusCodeResponses[msg.Status()]
		if !ok {
			r.Schema = spec.RefSchema("#/definitions/Envelope")
		}
		if !slices.Contains(namesIn(r.Description), msg.Name()) {
			r.Description = strings.TrimPrefix(r.Description+", "+msg.Name(), ", ")
		}
		op.Responses.StatusCodeResponses[msg.Status()] = r
	}
	for status, r := range op.Responses.StatusCodeResponses {
		if err := exemplify(&r, status, kind); err != nil {
			return fmt.Errorf("%d: %w", status, err)
		}
		if kind == "events" && status >= 400 { // the page looks for an example in events, the operation's first media type, and then here
			r.Schema = new(spec.Schema).WithAllOf(*r.Schema).WithExample(r.Examples[inJSON])
		}
		op.Responses.StatusCodeResponses[status] = r
	}
	for i, p := range op.Parameters {
		if p.In == "body" && p.Schema.Ref.String() == "" { // an object has examples of its members
			op.Parameters[i].Schema.Example = asked[kind]
		}
	}
	return nil
}

// exemplify gives an answer an example, and writes beside the name of each msg its text.
func exemplify(r *spec.Response, status int, kind string) error {
	names := namesIn(r.Description)
	switch {
	case status == 204:
	case status >= 400:
		if len(names) == 0 {
			return fmt.Errorf("%q names no msg", r.Description)
		}
		example(r, inJSON, envelope{Msg: byName[names[0]]})
	case kind == "events":
		example(r, inEvents, events)
	case len(r.Schema.AllOf) > 0: // it has data
		if asked[kind] == nil {
			return fmt.Errorf("there is no example of what %s answers", kind)
		}
		example(r, inJSON, envelope{Data: asked[kind]})
	default:
		example(r, inJSON, envelope{})
	}
	for _, name := range names {
		if got := byName[name].Status(); got != status {
			return fmt.Errorf("%s comes with %d", name, got)
		}
	}
	r.Description = word.ReplaceAllStringFunc(r.Description, func(name string) string {
		if msg, ok := byName[name]; ok {
			return name + " (`" + string(msg) + "`)"
		}
		return name
	})
	return nil
}

// unwrapped returns a text whose lines end where its paragraphs do: the page takes each end for one.
func unwrapped(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i := range paragraphs {
		paragraphs[i] = strings.ReplaceAll(paragraphs[i], "\n", " ")
	}
	return strings.Join(paragraphs, "\n\n")
}

func example(r *spec.Response, mediaType string, value any) {
	r.Examples = map[string]any{mediaType: value}
}

// envelope is what every route but a stream answers with.
type envelope struct {
	Msg  custerrors.Error `json:"msg"`
	Data any              `json:"data"`
}

var word = regexp.MustCompile(`\w+`)

var byName = func() map[string]custerrors.Error {
	all := make(map[string]custerrors.Error)
	for _, msg := range custerrors.All() {
		all[msg.Name()] = msg
	}
	return all
}()

// namesIn returns the names of msgs that a text has, in its order.
func namesIn(text string) (names []string) {
	for _, name := range word.FindAllString(text, -1) {
		if _, ok := byName[name]; ok {
			names = append(names, name)
		}
	}
	return names
}
