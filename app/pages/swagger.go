package pages

import (
	"regexp"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"
	swaggerfiles "github.com/swaggo/files/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/wire"
	"signal-server/docs"
)

const swaggerIndex = "/swagger/index.html"

// swaggerFiles are the files that the API browser's page loads, of those that come with it.
var swaggerFiles = []string{"index.css", "swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "favicon-16x16.png", "favicon-32x32.png"}

// swaggerRoutes serves the API browser.
func swaggerRoutes() []wire.Route {
	all := []wire.Route{
		page("/swagger/doc.json", "", false, document),
		page("/swagger", "", false, func(c *fiber.Ctx, _ *wire.Visit) error { return c.Redirect(swaggerIndex, fiber.StatusFound) }),
		file(swaggerIndex, "index.html", swaggerPage, swaggerHead),
	}
	for _, name := range swaggerFiles {
		all = append(all, file("/swagger/"+name, name, func() []byte { return embeddedFile(swaggerfiles.FS, name) }, swaggerHead))
	}
	return all
}

// swaggerPage returns the page as gofiber/swagger makes it. It is asked once, by a request without headers: gofiber/swagger would put the
// first X-Forwarded-Prefix that it sees into its links for ever, whoever sent it.
func swaggerPage() []byte {
	app := fiber.New()
	app.Get("/swagger/*", swagger.New(swagger.Config{Title: "signal-server", URL: "doc.json", DeepLinking: true}))
	var c fasthttp.RequestCtx
	c.Request.SetRequestURI(swaggerIndex)
	app.Handler()(&c)
	if c.Response.StatusCode() != fasthttp.StatusOK {
		panic("BUG: gofiber/swagger has no page")
	}
	return fontTag.ReplaceAll(slices.Clone(c.Response.Body()), nil)
}

// fontTag is what in the page asks an outside host for a font. The page is whole without it, and nobody outside needs to know who reads it.
var fontTag = regexp.MustCompile(`(?m)^\s*<link href="https://fonts\.googleapis\.com[^>]*>\n?`)

// swaggerHead sets what every file of the API browser has.
func swaggerHead(h *fasthttp.ResponseHeader) {
	h.Set(fasthttp.HeaderContentSecurityPolicy, swaggerPolicy)
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer") // its links lead to other sites
}

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
