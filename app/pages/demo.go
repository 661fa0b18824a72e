package pages

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/valyala/fasthttp"

	"signal-server/app/wire"
	"signal-server/client/js"
)

//go:embed demo/index.html demo/*.css demo/icon.svg demo/*.js demo/vendor/qrcode.js
var embedded embed.FS

// Files holds index.html and everything that it loads except the browser client.
var Files = demo()

func demo() fs.FS {
	files, err := fs.Sub(embedded, "demo")
	if err != nil {
		panic("BUG: the demo page is not embedded: " + err.Error())
	}
	return files
}

const (
	// pagePolicy lets the page run and load its own files, talk to this server, and nothing else: no inline script or style,
	// no markup from text (Trusted Types), no frame around it. WebRTC itself is not governed by it.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

	// pagePermissions leaves the page what a video call needs, and takes the rest that asks the user.
	pagePermissions = "camera=(self), microphone=(self), fullscreen=(self), geolocation=(), usb=(), payment=()"
)

// demoRoutes serves the demo page, the files it loads, and the browser client, which other sites' pages may load too.
func demoRoutes() (all []wire.Route) {
	err := fs.WalkDir(Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		route := "/web/" + name
		if name == "index.html" {
			route = "/"
		}
		all = append(all, file(route, name, func() []byte { return embeddedFile(Files, name) }, demoHead))
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("BUG: an embedded file cannot be read: %v", err))
	}
	return append(all,
		file("/client/signal.js", "signal.js", func() []byte { return js.Signal }, demoHead),
		file("/client/signal.js.map", "signal.js.map", func() []byte { return js.SourceMap }, demoHead),
	)
}

// embeddedFile returns what a file of an embedded file system holds.
func embeddedFile(files fs.FS, name string) []byte {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		panic("BUG: an embedded file cannot be read: " + err.Error())
	}
	return content
}

// demoHead sets what every file of the demo page has.
func demoHead(h *fasthttp.ResponseHeader) {
	h.Set(fasthttp.HeaderContentSecurityPolicy, pagePolicy)
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer")
	h.Set("Permissions-Policy", pagePermissions)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
