package attack_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"signal-server/cache/redis/redistest"
	"signal-server/test/front"
	"signal-server/test/need"
	"signal-server/test/until"
)

// fleet is nodes on one store, and nginx in front of them without stickiness.
type fleet struct {
	nodes []*server
	front string // host:port
}

func startFleet(t *testing.T, stores ...string) *fleet {
	t.Helper()
	f := &fleet{}
	var nodes []string
	for _, store := range stores {
		node := serve(t, "--store="+store)
		node.Faulty = true // it logs that its store is away
		f.nodes = append(f.nodes, node)
		nodes = append(nodes, node.Addr)
	}
	f.front = front.Plain(t, nodes...)
	return f
}

// TestKills ends, in turn, each part of a fleet under load: 64 handshakes at once, by real clients through nginx. Every one that
// begins completes, some after starting over; no payload is doubled or mixed up.
func TestKills(t *testing.T) {
	need.Programs(t, "redis-server", "redis-cli")
	many := 64
	if testing.Short() {
		many = 16
	}
	for name, kill := range map[string]func(t *testing.T) (f *fleet, fault func() (away time.Duration)){
		"a node": func(t *testing.T) (*fleet, func() time.Duration) {
			store := redistest.Start(t).URL("")
			f := startFleet(t, store, store, store)
			return f, func() time.Duration {
				node := f.nodes[0]
				node.Cmd.Process.Kill()
				<-node.Ended
				return 0
			}
		},
		"the Redis master of a slot": func(t *testing.T) (*fleet, func() time.Duration) {
			cluster := redistest.StartCluster(t, true)
			url := cluster.URL("") // with wait_replicas=1 a master that has lost its only replica would take nothing more
			f := startFleet(t, url, url, url)
			return f, func() time.Duration {
				victim := cluster.Masters()[0]
				began := time.Now()
				victim.Kill()
				until.True(t, patience, "its replica is a master", func() bool { return len(cluster.Masters()) == 3 })
				return time.Since(began)
			}
		},
		"a master that sentinels watch": func(t *testing.T) (*fleet, func() time.Duration) {
			watched := redistest.StartSentinel(t)
			url := watched.URL("")
			f := startFleet(t, url, url)
			return f, func() time.Duration {
				began := time.Now()
				watched.Master.Kill()
				until.True(t, patience, "the sentinels name its replica", func() bool {
					named, ok := watched.Sentinels[0].Try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", redistest.WatchedName)
					return ok && strings.Contains(named, watched.Replica.Port)
				})
				return time.Since(began)
			}
		},
		"the network between a node and Redis, for 5 s": func(t *testing.T) (*fleet, func() time.Duration) {
			server := redistest.Start(t)
			proxy := redistest.StartProxy(t, server)
			f := startFleet(t, proxy.URL(""), server.URL(""), server.URL(""))
			return f, func() time.Duration {
				proxy.Cut()
				<-time.After(5 * time.Second)
				proxy.Restore()
				return 5 * time.Second
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, fault := kill(t)
			p := connect(t, "http://"+f.front, nil, many, true)
			p.settle()
			before := p.take(t)
			away := fault()
			n := p.completed()
			until.True(t, patience, "each pair has gone on", func() bool { return p.completed() >= n+many })
			p.settle()
			p.stop()
			p.done.Wait() // each that began has completed, or failed
			in := p.take(t)
			if in.handshakes == 0 {
				t.Error("no handshake completed")
			}
			t.Logf("%s: before %v; then %d begun, %d completed, %d restarted by their clients, 0 lost, 0 doubled or mixed up; longest stall %v, "+
				"the replacement was there after %v", name, before, in.handshakes, in.handshakes, in.restarted,
				in.most.Round(10*time.Millisecond), away.Round(10*time.Millisecond))
			if out, err := exec.Command("curl", "-fsS", "http://"+f.front+"/readyz").CombinedOutput(); err != nil {
				t.Errorf("afterwards: got %v %s, want the fleet ready", err, out)
			}
		})
	}
}
