package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Watched is a master and its replica, watched by three sentinels, two of which replace a master that does not answer for a
// second.
type Watched struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// WatchedName is what the sentinels call the master.
const WatchedName = "sessions"

// StartSentinel starts a Watched.
func StartSentinel(t testing.TB) *Watched {
	t.Helper()
	w := &Watched{Master: Start(t)}
	w.Replica = Start(t, "--replicaof", "127.0.0.1 "+w.Master.Port)
	w.Replica.waitFor("master_link_status:up", "INFO", "replication")
	for range 3 {
		s := newServer(t, freePort(t))
		config := filepath.Join(s.dir, "sentinel.conf")
		text := fmt.Sprintf("port %[1]s\nbind 127.0.0.1\ndir %[2]s\nlogfile %[2]s/log\nsentinel monitor %[3]s 127.0.0.1 %[4]s 2\n"+
			"sentinel down-after-milliseconds %[3]s 1000\nsentinel failover-timeout %[3]s 5000\n", s.Port, s.dir, WatchedName, w.Master.Port)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = []string{config, "--sentinel"}
		s.start()
		w.Sentinels = append(w.Sentinels, s)
	}
	for _, s := range w.Sentinels {
		s.waitFor("num-other-sentinels\n2", "SENTINEL", "MASTER", WatchedName)
		s.waitFor("num-slaves\n1", "SENTINEL", "MASTER", WatchedName)
	}
	return w
}

// URL returns the URL of what is watched, with more parameters.
func (w *Watched) URL(more string) string {
	var hosts []string
	for _, s := range w.Sentinels {
		hosts = append(hosts, s.Address)
	}
	return "redis-sentinel://" + strings.Join(hosts, ",") + "/?master=" + WatchedName + more
}
