// Package pages is what people look at in a browser: the demo page, the API browser (Swagger), and the browser client that pages of any
// site load. It owns their headers. As a wire it answers paths that nobody needs a key for, at the rate of all requests.
//
// The demo page is the files of a static site, embedded. It expects the browser client as client/signal.js beside it, and its own files
// under web/:
//
//	index.html ─▶ app.js ─┬─▶ invitation.js        key and secret, in the URL's fragment         no DOM
//	                      ├─▶ call.js              one RTCPeerConnection, by client/signal.js    no DOM
//	                      ├─▶ steps.js, advice.js  when what happened, and what to do about it   no DOM
//	                      ├─▶ invite.js, settings.js, ask.js       before the call               DOM
//	                      ├─▶ stage.js, chat.js, title.js          the call                      DOM
//	                      ├─▶ progress.js, traffic.js              for the curious               DOM
//	                      └─▶ language.js ─▶ texts.js              all that is said, in two languages
package pages

import (
	"bytes"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/wire"
)

// Config says whether there are pages.
type Config struct {
	// Pages is On or Off.
	Pages string `name:"pages" group:"Log and pages" enum:"on,off" default:"on" help:"Demo page, Swagger, browser client: on or off."`
}

// On and Off are the values of Config.Pages.
const (
	On  = "on"
	Off = "off"
)

// Wire answers with pages. New makes one.
type Wire struct {
	wire.Envelope
	version string
}

// New returns the wire of a program of this version.
func New(version string) *Wire { return &Wire{version: version} }

// Name implements wire.Wire.
func (*Wire) Name() string { return "pages" }

// Routes implements wire.Wire.
func (w *Wire) Routes() []wire.Route { return append(demoRoutes(), swaggerRoutes(w.version)...) }

// Has reports whether people ask for this path, or pages on their behalf.
func Has(path []byte) bool {
	for _, below := range []string{"/web/", "/client/", "/swagger"} {
		if bytes.HasPrefix(path, []byte(below)) {
			return true
		}
	}
	return string(path) == "/"
}

// page returns a route for GET that anybody may ask, who does not ask too fast.
func page(path, label string, safe bool, handle wire.Handler) wire.Route {
	return wire.Route{Method: fiber.MethodGet, Path: path, Label: label, Keyless: true, Safe: safe, Handle: handle}
}
