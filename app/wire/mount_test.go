package wire_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"signal-server/app/apptest"
	"signal-server/app/server"
	"signal-server/app/wire"
	"signal-server/cache/memory"
)

// stub is a wire of these routes.
type stub struct {
	wire.Envelope
	name   string
	routes []wire.Route
}

func (s stub) Name() string         { return s.name }
func (s stub) Routes() []wire.Route { return s.routes }

// serverOf returns a server of these wires, beside the program's own.
func serverOf(t *testing.T, wires ...wire.Wire) (*server.Server, error) {
	t.Helper()
	config := apptest.Defaults()
	config.Wires = wires
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s, _, err := apptest.New(config, store, slog.New(slog.DiscardHandler))
	return s, err
}

func done(_ *fiber.Ctx, v *wire.Visit) error { return wire.Envelope{}.Done(v.Reply()) }

func TestTwoWiresOfOnePath(t *testing.T) {
	get := func(name, path string) stub {
		return stub{name: name, routes: []wire.Route{{Method: fiber.MethodGet, Path: path, Handle: done}}}
	}
	for _, row := range []struct {
		what  string
		wires []wire.Wire
		want  []string // in the error; none: there is no error
	}{
		{"paths that differ", []wire.Wire{get("one", "/x"), get("two", "/y")}, nil},
		{"one path", []wire.Wire{get("one", "/x"), get("two", "/x")}, []string{"one", "two", "GET /x"}},
		{"the path of a wire of the program", []wire.Wire{get("one", "/offer/sdp")}, []string{"one", "call", "GET /offer/sdp"}},
		{"one path, and methods that differ", []wire.Wire{get("one", "/x"), stub{name: "two", routes: []wire.Route{
			{Method: fiber.MethodPost, Path: "/x", Handle: done},
		}}}, nil},
	} {
		_, err := serverOf(t, row.wires...)
		if (err != nil) != (row.want != nil) {
			t.Errorf("%s: got %v, want an error: %v", row.what, err, row.want != nil)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s in it", row.what, err, want)
			}
		}
	}
}

func TestHEAD(t *testing.T) {
	ran := map[string]int{}
	route := func(path string, safe bool) wire.Route {
		return wire.Route{Method: fiber.MethodGet, Path: path, Free: true, Safe: safe, Handle: func(c *fiber.Ctx, v *wire.Visit) error {
			ran[path]++
			return wire.Envelope{}.Done(v.Reply())
		}}
	}
	s, err := serverOf(t, stub{name: "one", routes: []wire.Route{route("/takes", false), route("/page", true)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		method, path string
		runs         int
	}{
		{fiber.MethodGet, "/takes", 1},
		{fiber.MethodHead, "/takes", 0},
		{fiber.MethodGet, "/page", 1},
		{fiber.MethodHead, "/page", 1},
	} {
		clear(ran)
		var c fasthttp.RequestCtx
		c.Request.Header.SetMethod(row.method)
		c.Request.SetRequestURI(row.path)
		s.Handle(&c)
		if got := ran[row.path]; got != row.runs || c.Response.StatusCode() != fiber.StatusOK {
			t.Errorf("%s %s: got the handler run %d times and %d, want %d times and 200", row.method, row.path, got, c.Response.StatusCode(), row.runs)
		}
	}
}
