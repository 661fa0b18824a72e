package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measureRelays measures this server as a TURN server, beside coturn if that is installed, and what its list of ICE servers costs those who connect.
func measureRelays(ctx context.Context, b *bench) error {
	return b.rows(ctx, []row{
		{"CPU of relayed packets", relayCPU},
		{"memory of relays", relayMemory},
		{"time to connected", connectTime},
	})
}

// pace is how fast each client sends.
type pace struct {
	name   string
	packet time.Duration // from one packet of a client to its next
}

// The paces leave a core idle for the most part: what is measured is what a packet costs, and not what is lost when a core is busy. They are below what
// one relay may have by default, 1 MiB/s.
var paces = [...]pace{
	{"2 Mbit/s a client", 4 * time.Millisecond}, // as a call with a picture takes
	{"8 Mbit/s a client", time.Millisecond},
}

// relayed is what came of one go of a candidate.
type relayed struct {
	cpu, wall       time.Duration
	sent, delivered int // packets
}

// perMbit is the server's CPU time for a Mbit of payload that was delivered, in ms.
func (r *relayed) perMbit() float64 {
	return milliseconds(r.cpu) / (float64(r.delivered) * packetBytes * 8 / 1e6)
}

// lost is the part of the packets that were not delivered, in %.
func (r *relayed) lost() float64 { return 100 * float64(r.sent-r.delivered) / float64(r.sent) }

// relayCPU measures what packets cost that pass two relays of a server.
func relayCPU(ctx context.Context, b *bench) error {
	candidates, err := b.turnServers()
	if err != nil {
		return err
	}
	coturn := slices.IndexFunc(candidates, func(c candidate) bool { return c.name == "coturn" })
	t := table{
		title: "CPU of relayed packets",
		text: fmt.Sprintf("%d clients in pairs, over UDP. Each has a relay, and sends packets of %d B by a channel to its partner's relay on the same server: two hops a packet. "+
			"CPU time of the server's process, user and system, for a Mbit of payload that was delivered, over %v at a steady pace. The first candidate has the "+
			"limits that --turn has by default. Each packet that came was checked.", relayClients, packetBytes, b.size.relaying),
		columns: []string{"", "", "server CPU, ms a Mbit", "÷ coturn", "its core busy", "packets sent a round", "lost, %"},
	}
	if coturn < 0 {
		t.text += " **Not compared: coturn is not installed** (`turnserver`)."
	}
	chart := chart{title: "Server CPU per relayed Mbit, ms", decimals: 2}
	for _, pace := range paces {
		cpu, busy, sent, lost := make([]series, len(candidates)), make([]series, len(candidates)), make([]series, len(candidates)), make([]series, len(candidates))
		err := b.turns(ctx, len(candidates), func(i int) error {
			r, err := relayPackets(ctx, b, candidates[i], pace)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", candidates[i].name, pace.name, err)
			}
			cpu[i], busy[i] = append(cpu[i], r.perMbit()), append(busy[i], r.cpu.Seconds()/r.wall.Seconds())
			sent[i], lost[i] = append(sent[i], float64(r.sent)), append(lost[i], r.lost())
			return nil
		})
		if err != nil {
			return err
		}
		for i, c := range candidates {
			ratio := "–"
			if coturn >= 0 {
				ratio = cpu[i].over(cpu[coturn]).span(2)
			}
			t.add(c.name, pace.name, cpu[i].span(2), ratio, busy[i].span(2), sent[i].span(0), lost[i].span(3))
			chart.add(c.name+", "+pace.name, cpu[i], i != coturn)
		}
		if coturn >= 0 {
			b.report.bar("CPU per relayed Mbit ÷ coturn: "+pace.name, cpu[0].over(cpu[coturn]), 2, 2, 1.5)
			b.report.bar("packets lost more than by coturn, %: "+pace.name, lost[0].minus(lost[coturn]), 3, 0, 0)
		}
	}
	b.report.add(t)
	b.report.draw(chart)
	return nil
}

// minus returns the difference of each round.
func (s series) minus(other series) series {
	rest := make(series, min(len(s), len(other)))
	for i := range rest {
		rest[i] = s[i] - other[i]
	}
	return rest
}

// relayPackets has clients talk at that pace by relays of a new process, after some packets that warm it up.
func relayPackets(ctx context.Context, b *bench, c candidate, pace pace) (r relayed, err error) {
	p, err := b.start(ctx, c)
	if err != nil {
		return r, err
	}
	defer p.stop()
	talk, err := newTalk(b, p, relayClients)
	if err != nil {
		return r, err
	}
	defer talk.hangUp()
	if _, _, err := talk.run(ctx, pace, b.size.relaying/5); err != nil {
		return r, err
	}
	e := expense{}
	err = e.spend(p, func() (err error) {
		r.sent, r.delivered, err = talk.run(ctx, pace, b.size.relaying)
		return err
	})
	if err == nil && r.delivered == 0 {
		err = fmt.Errorf("none of %d packets came\n%s", r.sent, p.log.String())
	}
	r.cpu, r.wall = e.cpu, e.wall
	return r, err
}

// turnServers returns this server with the limits that it has by default, and without, and coturn, if that is installed.
func (b *bench) turnServers() ([]candidate, error) {
	limited, err := b.relaying("signal-server --turn", b.server)
	if err != nil {
		return nil, err
	}
	unlimited, err := b.relaying("signal-server --turn, no rates", b.server, "--turn-rate=off", "--turn-total-rate=off")
	if err != nil {
		return nil, err
	}
	candidates := []candidate{limited, unlimited}
	if coturnInstalled() {
		candidates = append(candidates, b.coturn())
	}
	return candidates, nil
}

const (
	turnSecret = "the secret that both servers verify by"
	turnRealm  = "signal-server"
)

// relaying is a signaling server's executable with a TURN server on a free port, which takes as many relays and strangers from one address as the load has.
func (b *bench) relaying(name, program string, args ...string) (candidate, error) {
	secret := filepath.Join(b.dir, "turn-secret")
	if err := os.WriteFile(secret, []byte(turnSecret+"\n"), 0o600); err != nil {
		return candidate{}, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return candidate{}, err
	}
	defer free.Close()
	c := built(name, program)
	c.turn = free.Addr().String()
	argv := c.argv
	c.argv = func(port string) []string {
		return append(append(argv(port), "--turn", "--turn-listen="+c.turn, "--turn-secret-file="+secret, "--turn-user-allocations=1000",
			"--turn-client-allocations=1000", "--turn-unauthenticated-rate=off"), args...)
	}
	return c, nil
}

// coturn is the TURN server that most sites run, with its defaults, but for addresses of the loopback, and with one thread for relays, since it has one
// core: by default it has one for each of the machine's, and takes a sixth more CPU.
func (b *bench) coturn() candidate {
	return candidate{
		name: "coturn",
		argv: func(port string) []string {
			return []string{
				"turnserver", "-n", "--no-cli", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--listening-port=" + port,
				"--use-auth-secret", "--static-auth-secret=" + turnSecret, "--realm=" + turnRealm, "--allow-loopback-peers", "--no-tls", "--no-dtls", "--relay-threads=1",
				"--userdb=" + filepath.Join(b.dir, "coturn.db"), "--pidfile=" + filepath.Join(b.dir, "coturn.pid"),
				"--simple-log", "--log-file=" + filepath.Join(b.dir, "coturn.log"), "--no-stdout-log",
			}
		},
	}
}

func coturnInstalled() bool {
	_, err := exec.LookPath("turnserver")
	return err == nil
}

// coturnVersion returns the version of the turnserver that is found.
func coturnVersion() string {
	out, err := exec.Command("turnserver", "--version").Output()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) == 0 {
		return "of an unknown version"
	}
	return lines[len(lines)-1]
}

// turnAddress is where the process is reached as a TURN server.
func (p *process) turnAddress() string {
	if p.turn != "" {
		return p.turn
	}
	return p.addr
}
