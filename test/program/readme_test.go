package program_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/cache/memory"
)

// step is a command of a page, and the output that the page shows.
type step struct{ command, output string }

// stepsOf returns the commands of the page's console blocks: lines that begin with "$ ", and what follows each.
func stepsOf(t *testing.T, page string) (all []step) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(text, -1) {
		for line := range strings.Lines(string(block[1])) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, step{command: strings.TrimSpace(command)})
			} else {
				all[len(all)-1].output += line
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no console block", page)
	}
	return all
}

// cursor matches cursors, which differ from one run to the next.
var cursor = regexp.MustCompile(`"next":"[A-Za-z0-9_-]{11}"`)

// served returns a server of this process with the default limits.
func served(t *testing.T) *apptest.Server {
	t.Helper()
	config := apptest.Defaults()
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: memory.MinMemory})
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Serve(t, apptest.Listen(t), config, store)
}

// TestCurl types the commands of the pages that show the API by curl, and compares what they print with what the pages show.
func TestCurl(t *testing.T) {
	for _, page := range []string{"README.md", "docs/protocol.md"} {
		server := served(t)
		for _, s := range stepsOf(t, page) {
			command := strings.ReplaceAll(s.command, "localhost:8080", server.Addr)
			out, err := exec.Command("bash", "-c", command).Output()
			if err != nil {
				t.Fatalf("%s: %s: %v", page, s.command, err)
			}
			got := cursor.ReplaceAllString(strings.TrimSpace(string(out)), "NEXT")
			want := cursor.ReplaceAllString(strings.TrimSpace(s.output), "NEXT")
			if got != want {
				t.Errorf("%s: %s\n got  %s\n want %s", page, s.command, got, want)
			}
		}
	}
}

// TestFromAPhone types the commands with which a phone in the same network reaches the server by HTTPS. Another port and folder are all
// that differs, and this machine's own address.
func TestFromAPhone(t *testing.T) {
	lines := blockOf(t, "README.md", "sh", "openssl ")
	if len(lines) != 2 {
		t.Fatalf("got %q, want one line that makes a certificate, and one that serves", lines)
	}
	here := strings.NewReplacer("192.168.1.20", "127.0.0.1", ":8443", "127.0.0.1:0", "go run . ", "", "key.pem", t.TempDir()+"/key.pem", "cert.pem", t.TempDir()+"/cert.pem")
	if out, err := exec.Command("bash", "-c", here.Replace(lines[0])).CombinedOutput(); err != nil { // #nosec G204 -- the page's own
		t.Fatalf("%s: got %v\n%s", lines[0], err, out)
	}
	serve := strings.Fields(here.Replace(lines[1]))
	p := run(t, nil, append(serve, "--admin=")...)
	pem, err := os.ReadFile(serve[slices.Index(serve, "--tls-cert")+1])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	phone := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}} // #nosec G402 -- the default is good
	defer phone.CloseIdleConnections()
	page, err := phone.Get(strings.Replace(p.url, "http:", "https:", 1) + "/")
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	if page.StatusCode != http.StatusOK {
		t.Errorf("the page: got %d, want 200", page.StatusCode)
	}
}

// blockOf returns the lines of the page's first code block of that kind that begins so.
func blockOf(t *testing.T, page, kind, begin string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		if block[1] == kind && strings.HasPrefix(block[2], begin) {
			return strings.Split(strings.TrimSuffix(block[2], "\n"), "\n")
		}
	}
	t.Fatalf("%s: got no block of %s that begins with %q, want one", page, kind, begin)
	return nil
}

// TestHello holds the program that the README shows against the one in client/examples, and runs it as two processes. The server's address
// is all that differs.
func TestHello(t *testing.T) {
	const example = "client/examples/hello/main.go"
	program, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	before, code, _ := strings.Cut(string(program), "package main\n") // below what says what it is
	if got, want := strings.Join(blockOf(t, "README.md", "go", "package main"), "\n"), strings.TrimSpace("package main\n"+code); got != want {
		t.Errorf("the README's program: got\n%s\nwant\n%s", got, want)
	}
	server := served(t)
	here := t.TempDir() + "/main.go"
	if err := os.WriteFile(here, []byte(before+"package main\n"+strings.ReplaceAll(code, "http://localhost:8080", server.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, hello := t.TempDir()+"/overlay.json", t.TempDir()+"/hello"
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace":{%q:%q}}`, root+"/"+example, here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", hello, "./client/examples/hello").CombinedOutput(); err != nil { // #nosec G204
		t.Fatalf("building it: got %v\n%s", err, out)
	}
	var heard [2]*bufio.Scanner
	for i := range heard {
		p := exec.CommandContext(t.Context(), hello) // ends with the test
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.Stderr = p.Stdout
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Wait() })
		defer time.AfterFunc(time.Minute, func() { p.Process.Kill() }).Stop()
		heard[i] = bufio.NewScanner(out)
	}
	for i, lines := range heard {
		lines.Scan()
		if got, want := lines.Text(), "hello"; got != want {
			t.Errorf("process %d: got %q, want %q", i+1, got, want)
		}
	}
}

// TestLength keeps the README short: what is generated into it is not counted. Chinese is counted as its readers do, a character or a
// Latin word as one.
func TestLength(t *testing.T) {
	for page, most := range map[string]int{"README.md": 1500, "README.zh-CN.md": 3000} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		prose := generatedPart.ReplaceAllString(string(text), "")
		got := len(strings.Fields(prose))
		if page == "README.zh-CN.md" {
			got = len(chineseWord.FindAllString(prose, -1))
		}
		if got > most {
			t.Errorf("%s: got %d words, want %d at the most", page, got, most)
		}
	}
}

var (
	generatedPart = regexp.MustCompile(`(?s)<!-- msgs:begin.*?<!-- msgs:end -->`)
	chineseWord   = regexp.MustCompile(`\p{Han}|[^\p{Han}\p{P}\s]+`)
)

// TestFigures holds the figures of speed in the READMEs against docs/benchmarks.md, rounded as they are written.
func TestFigures(t *testing.T) {
	measured, err := os.ReadFile("docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := []string{
		"requests per handshake, messages", "CPU per handshake, messages ÷ net/http twin", "CPU per handshake, messages ÷ PeerServer",
		"RSS per waiting connection at 4000, KiB",
	}
	for page, sentence := range map[string]string{
		"README.md":       `A handshake is (\S+) requests, and a fourth ends it\. It takes (\S+) times the CPU of the same on net/http, and (\S+) times that of\s+PeerServer; a waiting peer takes (\S+) KiB`,
		"README.zh-CN.md": `一次握手 (\S+) 个请求，再加一个结束请求，CPU 开销是 net/http 实现的 (\S+?) 倍、PeerServer 的 (\S+?) 倍；一个等待的对端占 (\S+) KiB`,
	} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		told := regexp.MustCompile(sentence).FindStringSubmatch(string(text))
		if told == nil {
			t.Errorf("%s: got no sentence like %q, want it", page, sentence)
			continue
		}
		for i, row := range rows {
			figure := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(row) + ` \| ([\d.]+)`).FindSubmatch(measured)
			if figure == nil {
				t.Fatalf("docs/benchmarks.md: got no row %q, want it", row)
			}
			value, err := strconv.ParseFloat(string(figure[1]), 64)
			if err != nil {
				t.Fatal(err)
			}
			_, decimals, _ := strings.Cut(told[i+1], ".")
			if got, want := told[i+1], strconv.FormatFloat(value, 'f', len(decimals), 64); got != want {
				t.Errorf("%s: %s: got %s, want %s", page, row, got, want)
			}
		}
	}
}
