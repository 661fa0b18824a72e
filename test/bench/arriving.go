package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
)

// encrypted is a way to reach the server, with TLS or without.
type encrypted struct {
	name string
	cert string // of certificates; empty: no TLS
	kept bool   // one connection for many requests; otherwise each request comes on a new one

	resumed bool
	version uint16      // the only one that the client speaks
	curve   tls.CurveID // the only one that the client speaks; 0: those that Go does
}

// The places of ways.
const (
	wayPlain = iota
	wayFull
	wayResumed
	wayFullX25519
	wayResumedX25519
	wayFull12
	wayResumed12
	wayRSA
	wayKeptPlain
	wayKept
)

const (
	certECDSA = "ecdsa"
	certRSA   = "rsa"
)

var ways = []encrypted{
	wayPlain:         {name: "plain"},
	wayFull:          {name: "TLS 1.3, ECDSA P-256", cert: certECDSA, version: tls.VersionTLS13},
	wayResumed:       {name: "TLS 1.3, resumed", cert: certECDSA, version: tls.VersionTLS13, resumed: true},
	wayFullX25519:    {name: "TLS 1.3, ECDSA P-256, X25519 alone", cert: certECDSA, version: tls.VersionTLS13, curve: tls.X25519},
	wayResumedX25519: {name: "TLS 1.3, resumed, X25519 alone", cert: certECDSA, version: tls.VersionTLS13, curve: tls.X25519, resumed: true},
	wayFull12:        {name: "TLS 1.2, ECDSA P-256", cert: certECDSA, version: tls.VersionTLS12},
	wayResumed12:     {name: "TLS 1.2, resumed", cert: certECDSA, version: tls.VersionTLS12, resumed: true},
	wayRSA:           {name: "TLS 1.3, RSA-2048", cert: certRSA, version: tls.VersionTLS13},
	wayKeptPlain:     {name: "plain, kept", kept: true},
	wayKept:          {name: "TLS 1.3, kept", cert: certECDSA, version: tls.VersionTLS13, kept: true},
}

// measureArriving measures what it costs to come over TLS.
func measureArriving(ctx context.Context, b *bench) error {
	servers, err := b.certifiedServers()
	if err != nil {
		return err
	}
	cpu := make([]series, len(ways))
	b.progress.rowBegins(fmt.Sprintf("%d ways to come", len(ways)), 1, 1)
	err = b.turns(ctx, len(ways), func(i int) error {
		e, err := measureWay(ctx, b, &ways[i], servers[ways[i].cert])
		if err != nil {
			return fmt.Errorf("%s: %w", ways[i].name, err)
		}
		cpu[i] = append(cpu[i], e.micros())
		return nil
	})
	if err != nil {
		return err
	}
	reportArriving(b, cpu)
	return nil
}

func reportArriving(b *bench, cpu []series) {
	t := table{
		title: "CPU of a connection, with TLS and without",
		text: fmt.Sprintf("CPU time of the server's process, user and system, for a new connection with one request (`GET /answer/candidate` of no session) and "+
			"its end, %d at once; on kept connections for the request alone. The client is Go's. By its defaults, which browsers have too, keys are exchanged by "+
			"X25519 with ML-KEM-768, which no quantum computer is known to break, also where a client resumes; \"X25519 alone\" is a client that asks for no more. "+
			"Every connection was checked to be resumed or not, as its row says.", atOnce),
		columns: []string{"connection", "server CPU, µs", "÷ plain", "÷ the same, not resumed", "÷ " + ways[wayFull].name, "÷ " + ways[wayRSA].name},
	}
	same := map[int]int{wayResumed: wayFull, wayResumedX25519: wayFullX25519, wayResumed12: wayFull12}
	for i, w := range ways {
		if w.kept {
			t.add(w.name, cpu[i].span(1), cpu[i].over(cpu[wayKeptPlain]).span(1), "–", "–", "–")
			continue
		}
		notResumed := "–"
		if of, ok := same[i]; ok {
			notResumed = cpu[i].over(cpu[of]).span(2)
		}
		t.add(w.name, cpu[i].span(1), cpu[i].over(cpu[wayPlain]).span(1), notResumed,
			cpu[i].over(cpu[wayFull]).span(2), cpu[i].over(cpu[wayRSA]).span(2))
	}
	b.report.add(t)
	b.report.bar("CPU of a new TLS connection, resumed with X25519 alone ÷ full", cpu[wayResumedX25519].over(cpu[wayFull]), 2, 0.6, 0)
}

// certified is a server that is reached over TLS, or not.
type certified struct {
	candidate
	security *tls.Config // of its clients; nil: none
}

// certifiedServers returns the servers that ways name by their certificates; without one it is the plain server.
func (b *bench) certifiedServers() (map[string]certified, error) {
	ecdsaEnv, ecdsaSecurity, err := b.certificate()
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	rsaEnv, rsaSecurity, err := b.certify("rsa", key)
	if err != nil {
		return nil, err
	}
	return map[string]certified{
		"":        {candidate: b.signalServer()},
		certECDSA: {b.signalServer(ecdsaEnv...), ecdsaSecurity},
		certRSA:   {b.signalServer(rsaEnv...), rsaSecurity},
	}, nil
}

// measureWay makes connections by the way to a new process, after some that warm it up.
func measureWay(ctx context.Context, b *bench, w *encrypted, server certified) (e expense, err error) {
	p, err := b.start(ctx, server.candidate)
	if err != nil {
		return e, err
	}
	defer p.stop()
	visitors := make([]*visitor, atOnce)
	for i := range visitors {
		visitors[i] = newVisitor(b, p, w, server.security)
	}
	defer func() {
		for _, v := range visitors {
			v.leave()
		}
	}()
	for warm := false; e.units < b.size.dials; warm = true {
		work := func() error { return atTheSameTime(atOnce, func(i int) error { return visitors[i].visit(w, warm) }) }
		if !warm {
			err = work()
		} else {
			err = e.spend(p, work)
			e.units += atOnce * w.visits()
		}
		if err != nil {
			return e, err
		}
	}
	return e, nil
}

// visits is how many requests a visitor makes in one go. On a kept connection they cost so little that a few would not be measured.
func (w *encrypted) visits() int {
	if w.kept {
		return 100
	}
	return 4
}

// visitor is a client, one of those that come at once.
type visitor struct {
	b      *bench
	p      *process
	config *tls.Config // nil: it comes without TLS
	conn   *conn       // nil: none is open
	in     []byte      // what has come over TLS
	tls    *tls.Conn   // over conn, or nil
	out    []byte      // scratch
}

func newVisitor(b *bench, p *process, w *encrypted, security *tls.Config) *visitor {
	v := &visitor{b: b, p: p, in: make([]byte, 8<<10)}
	if security == nil {
		return v
	}
	v.config = security.Clone()
	v.config.MinVersion, v.config.MaxVersion = w.version, w.version
	if w.curve != 0 {
		v.config.CurvePreferences = []tls.CurveID{w.curve}
	}
	if w.resumed {
		v.config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	return v
}

// visit makes one go of requests. Of connections that are resumed, known says whether the first one is too.
func (v *visitor) visit(w *encrypted, known bool) error {
	for range w.visits() {
		if v.conn == nil {
			if err := v.come(w.resumed && known); err != nil {
				return err
			}
		}
		if err := v.ask(); err != nil {
			return err
		}
		known = true
		if !w.kept {
			v.leave()
		}
	}
	return nil
}

// come connects.
func (v *visitor) come(resumed bool) (err error) {
	if v.conn, err = v.b.poller.dialHTTP(v.p.addr); err != nil || v.config == nil {
		return err
	}
	v.tls = tls.Client(v.conn, v.config)
	if err := v.tls.Handshake(); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	if got := v.tls.ConnectionState().DidResume; got != resumed {
		return fmt.Errorf("TLS: resumed is %v, must be %v", got, resumed)
	}
	return nil
}

// ask makes one request, and checks its answer.
func (v *visitor) ask() (err error) {
	key := newKey()
	v.out = appendRequest(v.out[:0], "GET", "/answer/candidate", key, nil)
	var got []byte
	if v.tls == nil {
		got, err = v.conn.ask(v.out)
	} else if _, err = v.tls.Write(v.out); err == nil {
		got, err = readAnswer(v.tls, &v.in)
	}
	if err != nil {
		return err
	}
	if !v.b.faults.check(got, []byte(noSession), key) {
		return v.b.faults.err()
	}
	return nil
}

// leave ends the connection, if there is one, and TLS over it as clients do.
func (v *visitor) leave() {
	switch {
	case v.conn == nil:
	case v.tls == nil:
		v.conn.Close()
	default:
		v.tls.Close() // and the socket under it
	}
	v.conn, v.tls = nil, nil
}
