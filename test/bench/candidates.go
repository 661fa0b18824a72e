package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// prepare builds and installs what is measured, and moves this process to its core. other is the directory of another version, if
// one is measured too. close must follow.
func prepare(ctx context.Context, s size, root, other string) (_ *bench, err error) {
	b := &bench{size: s, progress: newProgress(os.Stderr)}
	if b.dir, err = os.MkdirTemp("", "signal-server-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	b.progress.say("building the server")
	b.server = filepath.Join(b.dir, "signal-server")
	if err := buildServer(ctx, root, b.server); err != nil {
		return nil, err
	}
	if other != "" {
		b.progress.say("building the server of " + other)
		b.other = filepath.Join(b.dir, "other-version")
		if err := buildServer(ctx, other, b.other); err != nil {
			return nil, err
		}
	}
	if s.peerServer {
		b.progress.say("installing PeerServer")
		home := filepath.Join(root, "test", "bench", "peer")
		if err := command(ctx, home, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
			return nil, err
		}
		if b.peer, err = filepath.Abs(filepath.Join(home, "node_modules", "peer", "dist", "bin", "peerjs.js")); err != nil {
			return nil, err
		}
	}
	if b.cores, err = findCores(); err != nil {
		return nil, err
	}
	if err := b.cores.pin(); err != nil {
		return nil, err
	}
	b.poller, err = newPoller(b.cores.count > 1)
	return b, err
}

func (b *bench) close() {
	if b.poller != nil {
		b.poller.close()
	}
	os.RemoveAll(b.dir)
}

// buildServer builds the server of a checkout, in which it writes nothing. Go does not ask git for a version: the checkout may belong
// to somebody else.
func buildServer(ctx context.Context, dir, program string) error {
	return command(ctx, dir, "go", "build", "-buildvcs=false", "-o", program, ".")
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// signalServer is this server with its defaults.
func (b *bench) signalServer(env ...string) candidate {
	return built("signal-server", b.server, env...)
}

// built is a signaling server's executable with its defaults, but for what one client may have: the load is one. Versions that have no such
// limit take no notice of the variable.
func built(name, program string, env ...string) candidate {
	return candidate{
		name: name,
		argv: func(port string) []string { return []string{program, "--listen=127.0.0.1:" + port, "--admin="} },
		env:  append([]string{"SIGNAL_MAX_CLIENT_MEMORY=0", "SIGNAL_MAX_CLIENT_CONNECTIONS=0"}, env...),
	}
}

// peerServer is PeerServer with its defaults.
func (b *bench) peerServer() candidate {
	return candidate{
		name: "PeerServer",
		argv: func(port string) []string { return []string{"node", b.peer, "--host=127.0.0.1", "--port=" + port} },
		env:  []string{"NODE_ENV=production"},
	}
}

// ours is one of the servers of this program.
func ours(name, kind string, args ...string) candidate {
	return candidate{name: name, argv: func(port string) []string {
		return append([]string{executable(), "serve", kind, "127.0.0.1:" + port}, args...)
	}}
}

func bareFasthttp(size int) candidate {
	return ours("bare fasthttp", "bare", strconv.Itoa(size))
}

// checkingFasthttp is bare fasthttp that checks the JSON of POST messages and copies it.
func checkingFasthttp(size int) candidate {
	return ours("bare fasthttp that checks the JSON and copies it", "checks", strconv.Itoa(size))
}

func sameHeaders(size int) candidate {
	return ours("fasthttp, same headers", "headers", strconv.Itoa(size))
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		panic("BUG: this program does not know where it is: " + err.Error())
	}
	return path
}
