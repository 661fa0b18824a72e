package program_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signal-server/test/need"
)

// A test types each command that a page tells people to type. A command that no test types stands here, with the reason. A new command,
// block or page fails TestEverythingIsTyped until it is in one of these lists.

// readers names the test that takes the blocks of a page from the page itself and types them, whatever they say.
var readers = map[string]string{
	"README.md console":          "test/program/readme_test.go",
	"README.md js":               "test/browser/readme.test.js",
	"README.md go":               "test/program/readme_test.go",
	"docs/protocol.md console":   "test/program/readme_test.go",
	"client/js/README.md html":   "test/browser/npm.test.js",
	"client/js/README.md js":     "test/browser/readme.test.js",
	"client/js/README.md sh":     "test/browser/npm.test.js",
	"docs/operations.md console": "test/program/operations_test.go",
	"docs/operations.md sh":      "test/program/operations_test.go",
	"docs/sealing.md js":         "test/browser/readme.test.js",
}

// typedBy names, for a command, the file that types it and the text there. The text may be a shorter form of the command.
var typedBy = map[string][2]string{
	"go run .": {"client/bridge/readme_linux_test.go", `shellBlocks(t, "signal-server")`},
	"go run ./client/examples/pion-to-pion/answer -key K":                                                                     readmePion,
	"go run ./client/examples/pion-to-pion/offer -key K":                                                                      readmePion,
	"go install github.com/pion/webrtc/v4/examples/pion-to-pion/answer@v4.2.26":                                               readmePion,
	"go install github.com/pion/webrtc/v4/examples/pion-to-pion/offer@v4.2.26":                                                readmePion,
	"answer -answer-address :60000 -offer-address localhost:50000":                                                            readmePion,
	"offer -offer-address :50001 -answer-address localhost:60001":                                                             readmePion,
	"go run . bridge --server http://localhost:8080 --key K --role answer --listen localhost:50000 --forward localhost:60000": readmePion,
	"go run . bridge --server http://localhost:8080 --key K --role offer --listen localhost:60001 --forward localhost:50001":  readmePion,

	deriveKeys: {"client/seal/example_test.go", deriveKeys},
	useKeys:    {"client/seal/example_test.go", useKeys},
	`err := pionsignal.Connect(ctx, pc, url, "", pionsignal.WithSecret("correct horse battery staple"))`: {
		"client/pionsignal/example_test.go", `pionsignal.WithSecret("correct horse battery staple")`,
	},

	"go run ./client/examples/browser-to-pion":            {"test/browser/run", "./client/examples/browser-to-pion"},
	"go run . serve --help":                               {"test/program/main_test.go", `"--help"`},
	"go run ./client/examples/hello":                      {"test/program/readme_test.go", "./client/examples/hello"},
	"go mod edit -replace signal-server=../signal-server": {".ci/module/module_test.go", "go mod edit -replace signal-server=../signal-server"},
	"go get signal-server/client/pionsignal":              {".ci/module/module_test.go", "go get signal-server/client/pionsignal"},
	phoneCertificate:                                      readmePhone,
	phoneServe:                                            readmePhone,
	"signal-server token --file F":                        {"docs/operations.md", "./signal-server token --file tokens"},
	"signal-server healthcheck":                           {"docs/operations.md", "./signal-server healthcheck"},
	"signal-server serve --turn":                          {"docs/operations.md", "./signal-server --listen 127.0.0.1:8080 --turn "},

	"make":            {"test/program/typed_test.go", `exec.Command("make")`},
	"make test":       {".ci/run", "make test"},
	"make attack":     {".ci/run", "make attack"},
	"make lint":       {".ci/run", "make lint"},
	"make drift":      {".ci/run", "make drift"},
	"make generate":   {"Makefile", "$(MAKE) --no-print-directory generate"}, // in drift
	"make race":       {".ci/run", "make race"},
	"make fuzz":       {".ci/run", "FUZZTIME=2000x make fuzz"},
	"make sbom":       {".ci/run", "make sbom"},
	"make vulnerable": {".ci/run", "make vulnerable"},
	"make release":    {"test/deploy/release_test.go", `"make", "--no-print-directory", "release"`}, // which refuses there
	"make module MODULE=github.com/owner/signal-server": {".ci/module/module_test.go", "make --no-print-directory module MODULE="},
	"make cluster": {".ci/run", "SMOKE=1 make cluster"},
	"make load":    {".ci/run", "make smoke"},                                 // k6/run for three seconds each
	"make bench":   {".ci/run", "env -C test/bench ../../.ci/tool gotestsum"}, // a quarter of an hour; its test takes a moment
	"make soak":    {".ci/run", "./soak -duration 40s"},                       // an hour
	"go test ./test/program -run 'Layers|Wires|Fiber|Rooms'":              {"Makefile", "go list ./... | grep -v /test/attack"}, // all of it
	"go test ./test/attack -v":                                            {"Makefile", "-timeout 8m ./test/attack"},
	"go test ./test/attack -run Kills -v":                                 {"Makefile", "-timeout 8m ./test/attack"},
	"go test ./test/attack -run Clock":                                    {"Makefile", "-timeout 8m ./test/attack"},
	"go test -bench . ./client/seal":                                      {"client/seal/seal_test.go", "func Benchmark"},
	"npm test":                                                            {"Makefile", "cd client/js && node --test --test-reporter=spec test/*.test.js"},
	"TARGET=… k6/run messages":                                            {"Makefile", "k6/run"},
	"TARGET=https://staging.example RATE=200 DURATION=2m k6/run messages": {"k6/run", "TARGET=http://$address"},
}

var (
	readmePion       = [2]string{"client/bridge/readme_linux_test.go", `shellBlocks(t, "pion to pion")`}
	readmePhone      = [2]string{"test/program/readme_test.go", `blockOf(t, "README.md", "sh", "openssl ")`}
	phoneCertificate = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=signal -addext subjectAltName=IP:192.168.1.20 -keyout key.pem -out cert.pem`
	phoneServe       = `go run . --listen :8443 --tls-cert cert.pem --tls-key key.pem`
	deriveKeys       = `keys, err := seal.Derive("correct horse battery staple")`
	useKeys          = `session, err := c.Session(keys.SessionKey(), client.Offer)`
)

// untyped says why no test types a command.
var untyped = map[string]string{
	"CI=true .ci/run":         "it runs this test, among all others",
	"STAY=1 make cluster":     "it stays until somebody ends it; make cluster is the same until then",
	"make outdated":           "it asks registries for a minute, and what they say is for people",
	"make fmt":                "it changes files; make lint fails where it would",
	"make release SNAPSHOT=1": "it takes minutes; test/deploy makes a package by the same configuration, and installs it",
	"go tool pprof http://127.0.0.1:9090/debug/pprof/profile?seconds=30": "it takes half a minute, and then waits for a person; tests of app ask for the profiles",
	"systemctl reload":         "tests run without systemd; test/deploy has it read the units",
	"systemctl status":         "tests run without systemd",
	"systemd-analyze security": "test/deploy types it for the unit where it stands",
	"redis-cli ping":           "it asks a Redis of the reader's",
	"ss -tn state established": "it lists the connections of the reader's machine",

	"npm install signal-server-client": "it is not on the registry yet, as the page says",
}

// inline matches a command between backticks.
var inline = regexp.MustCompile("`((?:[A-Z0-9_]+=[^\\s`]+ )*(?:go (?:run|test|tool|build|install)|make|npm|npx|node|curl|docker|kubectl|goreleaser|" +
	`apt|systemctl|systemd-analyze|promtool|redis-cli|ss|k6/run|test/browser/run|\.ci/(?:run|fuzz|setup)|(?:\./)?signal-server (?:token|healthcheck|bridge|serve|--\w+))` +
	"(?:\\s[^`]*)?)`")

// pages returns the pages that people follow. Decisions and the CHANGELOG are records and not among them.
func pages(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "node_modules" || path == "docs/decisions"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md") && path != "CHANGELOG.md":
			all = append(all, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// commandsOf returns the commands in the sh blocks and the text of a page, with its lines of Go, and the kinds of its other blocks.
func commandsOf(t *testing.T, page string) (commands, blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range fenced.FindAllSubmatch(text, -1) {
		kind, content := string(block[1]), string(block[2])
		switch kind {
		case "console", "html", "js":
			blocks = append(blocks, kind)
		case "sh", "go":
			if readers[original(page)+" "+kind] != "" {
				blocks = append(blocks, kind)
				continue
			}
			comment := map[string]string{"sh": "sh", "go": "js"}[kind]
			for line := range strings.Lines(comments[comment].ReplaceAllString(content, "")) {
				if line = strings.TrimSpace(line); line != "" {
					commands = append(commands, line)
				}
			}
		case "":
			if strings.Contains("\n"+content, "\n$ ") {
				t.Errorf("%s: a block that is to be typed is not marked as console:\n%s", page, content)
			}
		default:
			t.Errorf("%s: got a block of %s, which this test does not know", page, kind)
		}
	}
	for _, m := range inline.FindAllSubmatch(fenced.ReplaceAll(text, nil), -1) {
		commands = append(commands, strings.Join(strings.Fields(string(m[1])), " "))
	}
	return commands, blocks
}

// original returns the page that page is a translation of, and page if it is none: TestTranslations says that the blocks of both are the same.
func original(page string) string {
	for english, chinese := range translations {
		if page == chinese {
			return english
		}
	}
	return page
}

func TestEverythingIsTyped(t *testing.T) {
	file := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	found := make(map[string]bool)
	for _, page := range pages(t) {
		commands, blocks := commandsOf(t, page)
		for _, kind := range blocks {
			block := original(page) + " " + kind
			found[block] = true
			if reader, ok := readers[block]; !ok {
				t.Errorf("%s: got a block of %s that no test reads, want one in the list", page, kind)
			} else if !strings.Contains(file(reader), original(page)) {
				t.Errorf("%s: got no word of %s in it, want it to read that", reader, page)
			}
		}
		for _, command := range commands {
			found[command] = true
			if by, ok := typedBy[command]; ok {
				if !strings.Contains(file(by[0]), by[1]) {
					t.Errorf("%s: got no %q in %s, want it to be typed there", command, by[1], by[0])
				}
			} else if untyped[command] == "" {
				t.Errorf("%s: got %q, which no test types, want it in a list", page, command)
			}
		}
	}
	for _, listed := range slices.Concat(slices.Collect(maps.Keys(readers)), slices.Collect(maps.Keys(typedBy)), slices.Collect(maps.Keys(untyped))) {
		if !found[listed] {
			t.Errorf("%q: got it in a list, want a page that has it", listed)
		}
	}
}

// TestMakefile checks that make has, and lists, each target that a page names.
func TestMakefile(t *testing.T) {
	need.Programs(t, "make")
	help, err := exec.Command("make").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		commands, _ := commandsOf(t, page)
		for _, command := range commands {
			_, target, ok := strings.Cut(command, "make ")
			if !ok {
				continue
			}
			target, variables, _ := strings.Cut(target, " ")
			if !regexp.MustCompile(`(?m)^` + target + ` `).Match(help) {
				t.Errorf("%s: got no target %s of make, want one", page, target)
			}
			if target == "drift" { // make runs what calls it again, dry or not
				continue
			}
			if out, err := exec.Command("make", append([]string{"--dry-run", target}, strings.Fields(variables)...)...).CombinedOutput(); err != nil {
				t.Errorf("make --dry-run %s: got %v\n%s", target, err, out)
			}
		}
	}
}
