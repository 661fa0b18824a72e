package wiretest

import (
	"net/http"

	"signal-server/app/apptest"
	"signal-server/app/gate/limit"
	"signal-server/custerrors"
)

// listed is the one origin whose pages may use the server, where only pages of some may.
const listed = "https://app.example"

// pageChecks are about what a page has a browser ask (Fetch Metadata Request Headers). What is refused is neither done nor counted: what would
// count are wrong keys, and one wrong key more is refused.
var pageChecks = []check{
	{name: "pages: an image of the API is refused", run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) { c.Clients.WrongKeys = seldom })
		w := s.opened()
		for range allowed + 1 {
			for _, request := range append(r.h.all(w), r.h.all(r.who())...) {
				if request.Method != http.MethodGet {
					continue // such as navigator.sendBeacon, which a browser names the origin of
				}
				for _, site := range []string{"same-origin", "cross-site"} {
					image := with(with(request.Request, "Sec-Fetch-Mode", "no-cors"), "Sec-Fetch-Site", site)
					r.want(request.name+" as an image, "+site, s.do(request.name, image), custerrors.NotAllowed)
				}
			}
		}
		page := with(with(r.h.Asks(w), "Sec-Fetch-Mode", "cors"), "Sec-Fetch-Site", "cross-site")
		r.want("a page", s.do("a page", page), r.h.Nothing)
		s.wantFirstGuess()
	}},
	{name: "pages: where origins are listed, a page of another site is refused", run: func(r *rig) {
		s := r.serve(func(c *apptest.Config) {
			c.Gate.AllowOrigins = []string{listed}
			c.Clients.WrongKeys = limit.Rate{Events: allowed + 1, Per: seldom.Per}
		})
		open := func(w Who) Answer {
			return s.do("opening", with(with(r.h.Opens(w), "Origin", listed), "Sec-Fetch-Site", "cross-site"))
		}
		w := r.who()
		r.wantFrom("a page of a listed origin", open(w), "", listed)
		for _, site := range []string{"cross-site", "same-site", "what nobody knows yet"} {
			for _, w := range []Who{w, r.who()} {
				for _, request := range r.h.all(w) {
					r.wantFrom(request.name+", "+site, s.do(request.name, with(request.Request, "Sec-Fetch-Site", site)), custerrors.NotAllowed, "")
				}
			}
		}
		for _, request := range r.h.all(w) { // which is refused before its wire is known
			foreign := with(request.Request, "Origin", "https://evil.example")
			r.wantRefused(request.name+" of an origin that is not listed", s.do(request.name, foreign), Enveloped(custerrors.NotAllowed), "")
		}
		for _, site := range []string{"", "none", "same-origin"} {
			asked := r.h.Asks(w)
			if site != "" {
				asked = with(asked, "Sec-Fetch-Site", site)
			}
			r.wantFrom("a program, a person, or an own page: "+site, s.do("asking", asked), r.h.Nothing, "")
		}
		for range allowed + 1 {
			r.wantFrom("a wrong key", s.do("a wrong key", r.h.Asks(r.who())), custerrors.KeyNotFound, "")
		}
		r.wantFrom("one more", s.do("one more", r.h.Asks(r.who())), custerrors.TooManyRequests, "")
	}},
}

// wantFirstGuess checks that no wrong key has been counted yet.
func (s *served) wantFirstGuess() {
	s.rig.Helper()
	for range allowed {
		s.rig.want("a wrong key", s.do("a wrong key", s.rig.h.Asks(s.rig.who())), custerrors.KeyNotFound)
	}
	s.rig.want("one more", s.do("one more", s.rig.h.Asks(s.rig.who())), custerrors.TooManyRequests)
}
