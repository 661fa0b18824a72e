package pages

import (
	"bytes"
	"regexp"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"

	"signal-server/app/wire"
	"signal-server/docs"
)

const swaggerIndex = "/swagger/index.html"

// swaggerRoutes serves the API browser.
func swaggerRoutes() []wire.Route {
	browse := swagger.New(swagger.Config{Title: "signal-server", URL: "doc.json", DeepLinking: true})
	return []wire.Route{
		free("/swagger/doc.json", "", false, document),
		free("/swagger", "", false, func(c *fiber.Ctx, _ *wire.Visit) error { return c.Redirect(swaggerIndex, fiber.StatusFound) }),
		free("/swagger/*", "", false, func(c *fiber.Ctx, _ *wire.Visit) error {
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
		}),
	}
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
func document(c *fiber.Ctx, v *wire.Visit) error {
	spec := *docs.SwaggerInfo // a copy: the host is this request's only
	if host := c.Context().Host(); wire.IsHost(host) {
		spec.Host = string(host)
	}
	if c.Context().IsTLS() {
		spec.Schemes = []string{"https"}
	}
	v.Reply().Fill(fiber.MIMEApplicationJSON, append(v.Reply().Reuse(), spec.ReadDoc()...))
	return nil
}
