package pages

import (
	"bytes"
	"embed"
	"html"
	"html/template"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"
	"github.com/valyala/fasthttp"

	"signal-server/app/wire"
	"signal-server/docs"
)

// Those in vendor are of the npm package swagger-ui-dist: gofiber/swagger has older ones.
//
//go:embed swagger/index.html swagger/page.css swagger/page.js
//go:embed swagger/vendor/swagger-ui.css swagger/vendor/swagger-ui-bundle.js swagger/vendor/favicon-16x16.png swagger/vendor/favicon-32x32.png
var swaggerFiles embed.FS

// swaggerNames are the files that the API browser's page loads.
var swaggerNames = []string{
	"page.css", "page.js", "vendor/swagger-ui.css", "vendor/swagger-ui-bundle.js", "vendor/favicon-16x16.png", "vendor/favicon-32x32.png",
}

const swaggerIndex = "/swagger/index.html"

// swaggerRoutes serves the API browser. The description bears the version.
func swaggerRoutes(version string) []wire.Route {
	all := []wire.Route{
		page("/swagger/doc.json", "", false, describe(version)),
		page("/swagger", "", false, func(c *fiber.Ctx, _ *wire.Visit) error { return c.Redirect(swaggerIndex, fiber.StatusFound) }),
		file(swaggerIndex, "index.html", swaggerPage, swaggerHead),
		file("/swagger/start.js", "start.js", swaggerStart, swaggerHead),
	}
	for _, name := range swaggerNames {
		all = append(all, file("/swagger/"+path.Base(name), name, func() []byte { return embeddedFile(swaggerFiles, "swagger/"+name) }, swaggerHead))
	}
	return all
}

// swaggerPage returns the page.
func swaggerPage() []byte {
	return withDocumentation(embeddedFile(swaggerFiles, "swagger/index.html"), ownModule())
}

// withDocumentation returns the page with a link to where the module, and so its README, is found. A module without a dot in its name is
// nowhere (Go Modules Reference, Module paths).
func withDocumentation(page []byte, module string) []byte {
	host, _, _ := strings.Cut(module, "/")
	link := ""
	if strings.Contains(host, ".") {
		link = `<a href="https://` + html.EscapeString(module) + `">Documentation</a>`
	}
	return bytes.Replace(page, []byte("<!-- documentation -->"), []byte(link), 1)
}

// ownModule returns the path of the program's module.
func ownModule() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Path
}

// swaggerStart returns the script by which gofiber/swagger starts swagger-ui. It stands in the page that gofiber/swagger makes; on its own the
// policy can forbid scripts in pages. It is asked for once, by a request without headers: gofiber/swagger would put the first
// X-Forwarded-Prefix that it sees into its links for ever, whoever sent it.
func swaggerStart() []byte {
	app := fiber.New()
	app.Get("/swagger/*", swagger.New(swagger.Config{
		URL: "doc.json", DeepLinking: true,
		Layout:  "BaseLayout", // without a bar for the URL of another description
		Presets: []template.JS{"SwaggerUIBundle.presets.apis"}, Plugins: []template.JS{"SignalServer"}, RequestInterceptor: "withScheme",
		ShowMutatedRequest: true, DisplayRequestDuration: true, DefaultModelsExpandDepth: -1, // each route shows its own
	}))
	var c fasthttp.RequestCtx
	c.Request.SetRequestURI(swaggerIndex)
	app.Handler()(&c)
	script := inlineScript.FindSubmatch(c.Response.Body())
	if c.Response.StatusCode() != fasthttp.StatusOK || script == nil {
		panic("BUG: gofiber/swagger has no page, or no script in it")
	}
	return slices.Clone(script[1])
}

var inlineScript = regexp.MustCompile(`(?s)<script>\s*(.*?)\s*</script>`)

// swaggerHead sets what every file of the API browser has.
func swaggerHead(h *fasthttp.ResponseHeader) {
	h.Set(fasthttp.HeaderContentSecurityPolicy, swaggerPolicy)
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer") // its links lead to other sites
}

// swaggerPolicy lets the page load and run its own files, and talk to this server. Its pictures are in its styles.
const swaggerPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// describe serves the API's description, naming the host that it was asked at.
func describe(version string) wire.Handler {
	return func(c *fiber.Ctx, v *wire.Visit) error {
		spec := *docs.SwaggerInfo // a copy: the host is this request's only
		spec.Version = version
		if host := c.Context().Host(); wire.IsHost(host) {
			spec.Host = string(host)
		}
		if c.Context().IsTLS() {
			spec.Schemes = []string{"https"}
		}
		v.Reply().Fill(fiber.MIMEApplicationJSON, append(v.Reply().Reuse(), spec.ReadDoc()...))
		return nil
	}
}
