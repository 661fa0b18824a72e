package wiretest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"signal-server/app/apptest"
	"signal-server/app/gate/auth"
	"signal-server/custerrors"
)

// bodyBytes is what a body may have in these checks.
const bodyBytes = 8 << 10

func smallBodies(c *apptest.Config) { c.Wire.BodyBytes = bodyBytes }

// sized returns somebody's request that opens, with a body of n bytes.
func (r *rig) sized(w Who, n int) Request {
	w.Payload += strings.Repeat("x", n-len(r.h.Opens(w).Body))
	return r.h.Opens(w)
}

var bodyChecks = []check{
	{name: "body: its bound", run: func(r *rig) {
		s := r.serve(smallBodies)
		r.want("as long as may be", s.do("as long as may be", r.sized(r.who(), bodyBytes)), "")
		c := s.dial().send(r.sized(r.who(), bodyBytes+1))
		r.want("a byte longer", c.answer("a byte longer"), custerrors.BodyIsTooLong)
		c.wantEnd("a byte longer")
		s.wantServing("afterwards")
	}},
	{name: "body: what is refused by its head is not waited for", run: func(r *rig) {
		// refused tells of n bytes, and sends none.
		refused := func(s *served, what string, request Request, n int, want Form) {
			c := s.dial()
			io.WriteString(c, request.head(n))
			r.wantForm(what, c.answer(what), want)
			c.wantEnd(what)
			c = s.dial()
			request.Header = append(request.Header, [2]string{"Expect", "100-continue"})
			io.WriteString(c, request.head(n))
			r.wantForm(what+", with Expect", c.answer(what), want) // and no 100
			c.wantEnd(what + ", with Expect")
		}
		s := r.serve(smallBodies)
		refused(s, "too long", r.h.Opens(r.who()), bodyBytes+1, r.h.Refusal(custerrors.BodyIsTooLong))
		refused(s, "no route", Request{Method: http.MethodPost, Path: "/none"}, 1, Enveloped(custerrors.RouteNotFound))
		s.stop()
		guarded, _ := r.guarded(auth.Grant{Name: "somebody"})
		s = r.serve(guarded)
		refused(s, "no token", r.h.Opens(r.who()), 1, r.h.Refusal(custerrors.NotAuthenticated))
		s.stop()
		s = r.serve(func(c *apptest.Config) { c.Clients.Requests = seldom })
		for range allowed {
			s.do("asking", r.h.Asks(r.who()))
		}
		refused(s, "too fast", r.h.Opens(r.who()), 1, r.h.Refusal(custerrors.TooManyRequests))
	}},
	{name: "body: one that stops comes too slowly", run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) { c.Link.ReadTimeout = 300 * time.Millisecond })
		request := r.h.Opens(r.who())
		for what, sent := range map[string]string{
			"nothing": request.head(len(request.Body)), "a part": request.head(len(request.Body)) + request.Body[:1],
		} {
			c := s.dial()
			io.WriteString(c, sent)
			r.want(what, c.answer(what), custerrors.RequestIsTooSlow)
			c.wantEnd(what)
		}
		s.wantServing("afterwards")
	}},
	{name: "body: in chunks", run: func(r *rig) {
		s := r.serve(smallBodies)
		for n, want := range map[int]custerrors.Error{bodyBytes: "", bodyBytes + 1: custerrors.BodyIsTooLong} {
			what := fmt.Sprintf("%d bytes", n)
			request := r.sized(r.who(), n)
			first, rest := request.Body[:10], request.Body[10:]
			c := s.dial()
			fmt.Fprintf(c, "%s%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", request.chunkedHead(), len(first), first, len(rest), rest)
			r.want(what, c.answer(what), want)
		}
		s.wantServing("afterwards")
	}},
	{name: "body: compressed", run: func(r *rig) {
		s := r.serve()
		for encoding, want := range map[string]custerrors.Error{"gzip": custerrors.BodyIsCompressed, "identity": ""} {
			request := r.h.Opens(r.who())
			request.Header = append(request.Header, [2]string{"Content-Encoding", encoding})
			r.want(encoding, s.do(encoding, request), want)
		}
	}},
	{name: "body: of all clients", run: func(r *rig) {
		s := r.serve(smallBodies, func(c *apptest.Config) { c.Wire.BodiesBytes = bodyBytes })
		request := r.sized(r.who(), bodyBytes)
		first := s.dial()
		io.WriteString(first, request.head(bodyBytes)+request.Body[:bodyBytes-1])
		s.await("one that comes", count{"signal_bodies_bytes", bodyBytes})
		second := s.dial().send(r.sized(r.who(), bodyBytes))
		r.want("one more", second.answer("one more"), custerrors.ServerIsOverloaded)
		second.wantEnd("one more")
		s.wantServing("meanwhile") // small ones
		io.WriteString(first, request.Body[bodyBytes-1:])
		r.want("the first", first.answer("the first"), "")
		s.await("it has come", count{"signal_bodies_bytes", 0})
		r.want("one that comes then", s.do("one that comes then", r.sized(r.who(), bodyBytes)), "")
	}},
}
