package api_test

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	appserver "signal-server/app/server"
	"signal-server/app/wire/call"

	"github.com/valyala/fasthttp"

	"signal-server/app/apptest"
	"signal-server/cache"
	"signal-server/custerrors"
)

// direct calls a server without sockets. It is for tests of time, memory and allocations.
type direct struct {
	server *appserver.Server
	calls  *call.Wire
	store  cache.Store
	ctx    fasthttp.RequestCtx // like a connection's, used for one request after the other
}

func newDirect(t testing.TB, changes ...func(*options)) *direct {
	t.Helper()
	needEmbedded(t)
	o := options{config: apptest.Defaults(), memory: 32 << 20}
	for _, change := range changes {
		change(&o)
	}
	d := &direct{store: newStore(t, o.config.Limits, o.memory)}
	if o.wrap != nil {
		d.store = o.wrap(d.store)
	}
	var err error
	if d.server, d.calls, err = apptest.New(o.config, d.store, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("New: got %v, want a server", err)
	}
	d.ctx.Init2(noConn{}, nil, false)
	return d
}

// noConn stands in for the connection of a request that came over none.
type noConn struct{ net.Conn }

// someone is who is at the other end.
var someone net.Addr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}

func (noConn) RemoteAddr() net.Addr { return someone }
func (noConn) LocalAddr() net.Addr  { return &net.TCPAddr{} }

// set prepares the next request.
func (d *direct) set(line, key, body string, header ...[2]string) {
	method, path, _ := strings.Cut(line, " ")
	r := &d.ctx.Request
	r.Reset()
	r.Header.SetMethod(method)
	r.SetRequestURI(path)
	r.Header.SetHost("localhost")
	r.Header.Set("key", key)
	for _, h := range header {
		r.Header.Set(h[0], h[1])
	}
	r.SetBodyString(body)
}

// handle serves the request that was set. It may be called again.
func (d *direct) handle() {
	d.ctx.Response.Reset()
	d.server.Handle(&d.ctx)
}

// do serves one request and returns the answer.
func (d *direct) do(t testing.TB, line, key, body string) answer {
	t.Helper()
	d.set(line, key, body)
	d.handle()
	resp := &http.Response{
		StatusCode: d.ctx.Response.StatusCode(),
		Header:     http.Header{},
		Body:       http.NoBody,
	}
	for name, value := range d.ctx.Response.Header.All() {
		resp.Header.Add(string(name), string(value))
	}
	a := newAnswer(resp, d.ctx.Response.Body())
	a.check(t, line)
	return a
}

// want serves one request, and checks its answer.
func (d *direct) want(t testing.TB, line, key, body string, msg custerrors.Error, data string) {
	t.Helper()
	d.do(t, line, key, body).expect(t, line, msg, data)
}
