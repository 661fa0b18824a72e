package attack_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signal-server/cache/redis/redistest"
	"signal-server/custerrors"
	"signal-server/test/until"
)

// stepping builds the program with a wall clock that steps: an overlay of the build puts testdata/clock into its main package. Time
// namespaces cannot do that, because they leave the wall clock alone. A preloaded library cannot either, because Go asks the kernel
// directly.
func stepping(t *testing.T) (program string) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("testdata/clock is for Linux on amd64")
	}
	own, err := filepath.Abs("testdata/clock")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(own, "../../../..")
	replace := make(map[string]string)
	for _, name := range []string{"steps.go", "steps_amd64.s"} {
		replace[filepath.Join(root, name)] = filepath.Join(own, name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "signal-server")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", file, "-o", program, "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// step steps the server's wall clock by that many hours, and waits until it has stepped.
func (s *server) step(t *testing.T, hours int) {
	t.Helper()
	signal, want := syscall.SIGUSR1, "stepped=1h0m0s since=0s"
	if hours < 0 {
		signal, want = syscall.SIGUSR2, "stepped=-1h0m0s since=0s"
	}
	for range max(hours, -hours) {
		told := strings.Count(s.Log.String(), want)
		s.Cmd.Process.Signal(signal)
		until.True(t, patience, want, func() bool { return strings.Count(s.Log.String(), want) > told })
	}
}

// TestClockSteps steps the wall clock an hour forwards, two backwards, and one forwards again, while peers connect. No session, wait,
// stream or connection ends by it, and no client may do more or less than before. Only JWTs go by that clock; refused ones are
// counted.
func TestClockSteps(t *testing.T) {
	program := stepping(t)
	for name, store := range map[string]func(t *testing.T) string{
		"memory": func(*testing.T) string { return "memory" },
		"redis":  func(t *testing.T) string { return redistest.Start(t).URL("") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tokens, secret := filepath.Join(dir, "tokens"), filepath.Join(dir, "secret")
			token, err := exec.Command(program, "token", "test", "--file="+tokens).Output()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(secret, []byte(strings.Repeat("s", 32)), 0o600); err != nil {
				t.Fatal(err)
			}
			s := start(t, exec.Command(program, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--store="+store(t), "--ttl=4m", anyMemory,
				"--auth-tokens-file="+tokens, "--auth-jwt-secret-file="+secret, asMany, "--rate-wrong-keys=20/h", "--block-for=1m"))
			bearer := "Bearer " + strings.TrimSpace(string(token))
			c := &stepped{server: s, head: "Authorization: " + bearer + "\r\n", conn: dial(t, s.Addr)}
			p := connecting(t, s.url(), http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Authorization": {bearer}})

			c.do(t, "POST", "/offer/messages?key=held", "192.0.2.2", `{"sdp":"o"}`).wants(t, "opening", 200, "")
			events := c.stream(t, "/answer/events?key=held")
			events.until(t, `data: "o"`)
			c.do(t, "POST", "/answer/messages?key=held", "192.0.2.2", `{"sdp":"a"}`).wants(t, "answering", 200, "")
			c.next = c.do(t, "GET", "/offer/messages?key=held", "192.0.2.2", "").next()
			for i := range 21 { // and one more, which blocks
				c.do(t, "GET", fmt.Sprint("/answer/messages?key=wrong-", i), "192.0.2.3", "")
			}
			c.do(t, "GET", "/answer/messages?key=wrong", "192.0.2.3", "").wants(t, "a guesser", 429, custerrors.TooManyRequests)
			c.do(t, "GET", "/answer/messages?key=wrong", "192.0.2.4", "").wants(t, "a client that errs once", 200, custerrors.KeyNotFound)

			for i, step := range []struct {
				hours                 int
				expiring, sinceLately int // the status for a JWT that expires in ten minutes, and for one that is valid since ten minutes ago
			}{{1, 401, 200}, {-2, 200, 401}, {1, 200, 200}} {
				p.settle()
				p.take(t)
				long := c.poll(t, "/offer/messages?key=held&wait=30&after="+c.next)
				short := c.poll(t, "/answer/messages?key=none&wait=1")
				s.step(t, step.hours)

				what := fmt.Sprintf("step %d, by %d h", i, step.hours)
				(<-short).wants(t, what+": a wait of a second", 200, custerrors.KeyNotFound)
				said := fmt.Sprint("c", i)
				c.do(t, "POST", "/offer/candidate?key=held", "192.0.2.2", said).wants(t, what+": the session", 200, "")
				events.until(t, `data: "`+said+`"`)
				c.do(t, "POST", "/answer/candidate?key=held", "192.0.2.2", said).wants(t, what+": the session", 200, "")
				got := <-long
				if got.wants(t, what+": a wait", 200, ""); !strings.Contains(got.text, said) {
					t.Errorf("%s: a wait: got %s, want %s in it", what, got.text, said)
				}
				c.next = got.next()
				c.do(t, "GET", "/answer/messages?key=wrong", "192.0.2.3", "").wants(t, what+": a guesser", 429, custerrors.TooManyRequests)
				c.do(t, "GET", fmt.Sprint("/answer/messages?key=wrong-", i), "192.0.2.4", "").wants(t, what+": a client that errs once", 200, custerrors.KeyNotFound)

				refused := c.refused(t)
				now := time.Now()
				c.with(t, jwt.MapClaims{"exp": now.Add(10 * time.Minute).Unix(), "jti": what}, step.expiring)
				c.with(t, jwt.MapClaims{"exp": now.Add(10 * time.Hour).Unix(), "nbf": now.Add(-10 * time.Minute).Unix(), "jti": what}, step.sinceLately)
				want := refused
				for _, status := range []int{step.expiring, step.sinceLately} {
					if status == 401 {
						want++
					}
				}
				if got := c.refused(t); got != want {
					t.Errorf("%s: got %d refusals counted, want %d", what, got, want)
				}
				p.settle()
				if f := p.take(t); f.handshakes == 0 || f.restarted > 0 {
					t.Errorf("%s: got %d handshakes, %d of them started over, want some, and none", what, f.handshakes, f.restarted)
				}
			}
		})
	}
}

// stepped is a server whose clock steps, and a client of it.
type stepped struct {
	*server
	head string // its token
	conn *asker // from before all steps
	next string // the offerer's cursor
}

// reply is the status and the body of an answer.
type reply struct {
	status int
	text   string
}

func (c *stepped) do(t *testing.T, method, target, client, body string) reply {
	t.Helper()
	head := c.head
	if client != "" {
		head += from(client)
	}
	return askedOver(t, c.conn, method, target, head, body)
}

func askedOver(t *testing.T, conn *asker, method, target, head, body string) (a reply) {
	t.Helper()
	text, err := conn.ask(method, target, head, body)
	if err != nil {
		t.Errorf("%s %s: got %v, want an answer", method, target, err)
		return a
	}
	fmt.Sscanf(text, "HTTP/1.1 %d", &a.status)
	_, a.text, _ = strings.Cut(text, "\r\n\r\n")
	return a
}

// poll asks over a connection of its own. The channel receives the answer when it comes.
func (c *stepped) poll(t *testing.T, target string) <-chan reply {
	t.Helper()
	conn, came := dial(t, c.Addr), make(chan reply, 1)
	go func() { came <- askedOver(t, conn, "GET", target, from("192.0.2.2")+c.head, "") }()
	return came
}

func (a reply) wants(t *testing.T, what string, status int, msg custerrors.Error) {
	t.Helper()
	if a.status != status || !strings.Contains(a.text, `"msg":"`+string(msg)+`"`) {
		t.Errorf("%s: got %d %s, want %d %q", what, a.status, a.text, status, msg)
	}
}

var cursor = regexp.MustCompile(`"next":"([^"]*)"`)

func (a reply) next() string {
	if m := cursor.FindStringSubmatch(a.text); m != nil {
		return m[1]
	}
	return ""
}

// with asks with a JWT of these claims, and checks the status of the answer.
func (c *stepped) with(t *testing.T, claims jwt.MapClaims, want int) {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(strings.Repeat("s", 32)))
	if err != nil {
		t.Fatal(err)
	}
	if got := askedOver(t, c.conn, "GET", "/offer/messages?key=held", from("192.0.2.2")+"Authorization: Bearer "+token+"\r\n", ""); got.status != want {
		t.Errorf("with %v: got %d %s, want %d", claims, got.status, got.text, want)
	}
}

// refused returns how many requests had no good token.
func (c *stepped) refused(t *testing.T) int {
	t.Helper()
	r, err := http.Get("http://" + c.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^signal_refusals_total\{reason="authentication"\} (\d+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("/metrics: got\n%s\nwant signal_refusals_total in it", text)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// events is an event stream.
type events struct {
	conn  *asker
	lines *bufio.Scanner
}

func (c *stepped) stream(t *testing.T, target string) *events {
	t.Helper()
	e := &events{conn: dial(t, c.Addr)}
	e.lines = bufio.NewScanner(e.conn.conn)
	fmt.Fprintf(e.conn.conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", target, from("192.0.2.2"), c.head)
	return e
}

// until reads until there is such a line.
func (e *events) until(t *testing.T, want string) {
	t.Helper()
	e.conn.conn.SetReadDeadline(time.Now().Add(patience))
	for e.lines.Scan() {
		if e.lines.Text() == want {
			return
		}
	}
	t.Fatalf("the stream: got its end (%v), want %s", e.lines.Err(), want)
}
