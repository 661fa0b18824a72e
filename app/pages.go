package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/pages"
	"signal-server/client/js"
)

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

// pageRoutes serves the demo page, the files it loads, and the browser client, which other sites' pages may load too.
func (s *Server) pageRoutes() {
	err := fs.WalkDir(pages.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(pages.Files, name)
		if err != nil {
			return err
		}
		if name == "index.html" {
			s.page("/", name, content)
		} else {
			s.page("/web/"+name, name, content)
		}
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("BUG: an embedded file cannot be read: %v", err))
	}
	s.page("/client/signal.js", "signal.js", js.Signal)
	s.page("/client/signal.js.map", "signal.js.map", js.SourceMap)
}

// page serves one file. Fiber has no strict routing here, so each is found with a slash at its end too.
func (s *Server) page(route, name string, content []byte) {
	sum := sha256.Sum256(content)
	tag := []byte(`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`)
	contentType := pageTypes[path.Ext(name)]
	if contentType == "" {
		panic("BUG: no media type for the embedded file " + name)
	}
	handler := func(c *fiber.Ctx) error {
		setPageHeaders(c.Context())
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
	}
	if label := path.Dir(route); label != "/" {
		s.addPage(route, label+"/*", handler)
	} else {
		s.addPage(route, route, handler)
	}
}

// addPage registers the handler, counted as label: a page's files are counted together.
func (s *Server) addPage(route, label string, handler fiber.Handler) {
	s.fiber.Add(fiber.MethodGet, route, s.counted(fiber.MethodGet+" "+label, handler))
	s.fiber.Add(fiber.MethodHead, route, s.counted(headRoute, handler)) // fasthttp leaves the body out
}

// setPageHeaders sets what every file of a page has, whether it is sent or not (RFC 9110, Section 15.4.5).
func setPageHeaders(c *fasthttp.RequestCtx) {
	h := &c.Response.Header
	h.Set(fasthttp.HeaderContentSecurityPolicy, pagePolicy)
	h.Set(fasthttp.HeaderXContentTypeOptions, "nosniff")
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer")
	h.Set("Permissions-Policy", pagePermissions)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set(fasthttp.HeaderCacheControl, pageCaching)
	h.SetCanonical(headerAllowOrigin, valueAnyOrigin) // a module of another origin needs it
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
