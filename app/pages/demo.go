package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/wire"
	"signal-server/client/js"
)

//go:embed demo/index.html demo/style.css demo/icon.svg demo/*.js demo/vendor/qrcode.js
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

// pageTypes is the media type of each kind of file that pages are made of.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".map":  "application/json",
}

const (
	// pagePolicy lets the page run and load its own files, talk to this server, and nothing else: no inline script or style,
	// no markup from text (Trusted Types), no frame around it. WebRTC itself is not governed by it.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

	// pagePermissions leaves the page what a video call needs, and takes the rest that asks the user.
	pagePermissions = "camera=(self), microphone=(self), fullscreen=(self), geolocation=(), usb=(), payment=()"

	// pageCaching lets a browser keep a file and makes it ask each time whether it is still the same: files have no version in
	// their names, and those of two releases must not meet.
	pageCaching = "no-cache"
)

// demoRoutes serves the demo page, the files it loads, and the browser client, which other sites' pages may load too.
func demoRoutes() (all []wire.Route) {
	err := fs.WalkDir(Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(Files, name)
		if err != nil {
			return err
		}
		if name == "index.html" {
			all = append(all, file("/", name, content))
		} else {
			all = append(all, file("/web/"+name, name, content))
		}
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("BUG: an embedded file cannot be read: %v", err))
	}
	return append(all,
		file("/client/signal.js", "signal.js", js.Signal),
		file("/client/signal.js.map", "signal.js.map", js.SourceMap),
	)
}

// file returns the route of one file. Fiber has no strict routing here, so each is found with a slash at its end too. The files of a
// page are counted together.
func file(route, name string, content []byte) wire.Route {
	sum := sha256.Sum256(content)
	tag := []byte(`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`)
	contentType := pageTypes[path.Ext(name)]
	if contentType == "" {
		panic("BUG: no media type for the embedded file " + name)
	}
	label := fiber.MethodGet + " " + route
	if folder := path.Dir(route); folder != "/" {
		label = fiber.MethodGet + " " + folder + "/*"
	}
	return free(route, label, true, func(c *fiber.Ctx, _ *wire.Visit) error {
		setPageHeaders(c)
		h := &c.Response().Header
		h.SetBytesV(fasthttp.HeaderETag, tag)
		if matchesTag(c.Request().Header.Peek(fasthttp.HeaderIfNoneMatch), tag) {
			h.SetNoDefaultContentType(true)
			c.Status(fiber.StatusNotModified)
			return nil
		}
		h.SetContentType(contentType)
		c.Response().SetBodyRaw(content)
		return nil
	})
}

// setPageHeaders sets what every file of a page has, whether it is sent or not (RFC 9110, Section 15.4.5).
func setPageHeaders(c *fiber.Ctx) {
	h := &c.Response().Header
	h.Set(fasthttp.HeaderContentSecurityPolicy, pagePolicy)
	h.Set(fasthttp.HeaderXContentTypeOptions, "nosniff")
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer")
	h.Set("Permissions-Policy", pagePermissions)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set(fasthttp.HeaderCacheControl, pageCaching)
}

// matchesTag reports whether If-None-Match lists the tag (RFC 9110, Section 13.1.2): compared weakly, * matches any.
func matchesTag(list, tag []byte) bool {
	for member := range bytes.SplitSeq(list, []byte(",")) {
		member = bytes.TrimPrefix(bytes.TrimSpace(member), []byte("W/"))
		if bytes.Equal(member, tag) || string(member) == "*" {
			return true
		}
	}
	return false
}
