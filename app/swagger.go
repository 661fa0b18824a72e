package app

import (
	"bytes"
	"regexp"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"

	"signal-server/docs"
)

const swaggerIndex = "/swagger/index.html"

// swaggerRoutes serves the API browser.
func (s *Server) swaggerRoutes() {
	s.get("/swagger/doc.json", document)
	browse := swagger.New(swagger.Config{Title: "signal-server", URL: "doc.json", DeepLinking: true})
	s.get("/swagger", func(c *fiber.Ctx) error { return c.Redirect(swaggerIndex, fiber.StatusFound) })
	s.get("/swagger/*", func(c *fiber.Ctx) error {
		// gofiber/swagger would put the first one it sees into its links for ever, whoever sent it.
		c.Request().Header.Del("X-Forwarded-Prefix")
		if err := browse(c); err != nil {
			return err
		}
		c.Set(fiber.HeaderContentSecurityPolicy, swaggerPolicy)
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer") // its links lead to other sites
		if body := c.Response().Body(); bytes.Contains(body, fontLink) {
			c.Response().SetBodyRaw(withoutFont(body))
		}
		return nil
	})
}

// The page asks an outside host for a font. It is whole without it, and nobody outside needs to know who reads it.
var (
	fontLink = []byte("fonts.googleapis.com")
	fontTag  = regexp.MustCompile(`(?m)^\s*<link href="https://fonts\.googleapis\.com[^>]*>\n?`)
)

func withoutFont(page []byte) []byte { return fontTag.ReplaceAll(page, nil) }

// swaggerPolicy lets the page load nothing from another host. Its own script and styles are inline.
const swaggerPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"

// document serves the API's description, naming the host that it was asked at.
func document(c *fiber.Ctx) error {
	spec := *docs.SwaggerInfo // a copy: the host is this request's only
	if host := c.Context().Host(); hostPattern.Match(host) {
		spec.Host = string(host)
	}
	if c.Context().IsTLS() {
		spec.Schemes = []string{"https"}
	}
	c.Response().SetBodyString(spec.ReadDoc())
	setHeaders(c.Context())
	return nil
}

// hostPattern is what may stand in a Host header (RFC 3986, Section 3.2.2), so that it can be put into JSON as it is.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.\-_~%\[\]:]{1,255}$`)
