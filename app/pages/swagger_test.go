package pages

import (
	"strings"
	"testing"
)

// TestLinkToTheDocumentation checks that the page links to where its module is found, if it is found anywhere.
func TestLinkToTheDocumentation(t *testing.T) {
	page := embeddedFile(swaggerFiles, "swagger/index.html")
	for module, want := range map[string]string{
		"example.org/team/signal-server": `<a href="https://example.org/team/signal-server">Documentation</a>`,
		`example.org/"><script>`:         `<a href="https://example.org/&#34;&gt;&lt;script&gt;">Documentation</a>`,
		"signal-server":                  "",
		"":                               "",
	} {
		got := string(withDocumentation(page, module))
		if strings.Contains(got, "<!--") || strings.Contains(got, "Documentation") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%q: got\n%s\nwant the link %q", module, got, want)
		}
	}
}
