package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signal-server/app/apptest"
	"signal-server/cache/memory"
	"signal-server/client"
)

// insideVariable makes this test program be the command.
const insideVariable = "SIGNAL_SERVER_TEST_HELLO"

func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hello is one run of the command as a process, which ends with the test.
type hello struct {
	*exec.Cmd
	out strings.Builder
}

func start(t *testing.T, server, key string) *hello {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	h := &hello{Cmd: exec.CommandContext(ctx, os.Args[0], key)}
	h.Env = append(os.Environ(), insideVariable+"=1", "SERVER="+server)
	h.Stdout, h.Stderr = &h.out, &h.out
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	return h
}

func serve(t *testing.T) string {
	t.Helper()
	config := apptest.Defaults()
	store, err := memory.New(memory.Config{Limits: config.Limits, Memory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return apptest.Serve(t, apptest.Listen(t), config, store).URL
}

// Two processes say hello to each other and end, one time after the other with the same key.
func TestTwoProcessesSayHello(t *testing.T) {
	server := serve(t)
	for range 5 {
		one, other := start(t, server, "key"), start(t, server, "key")
		for _, h := range []*hello{one, other} {
			if err := h.Wait(); err != nil {
				t.Errorf("got %v, want it to end well; it printed\n%s", err, &h.out)
			}
		}
		for h, from := range map[*hello]*hello{one: other, other: one} {
			if got, want := h.out.String(), fmt.Sprintf("hello from process %d\n", from.Process.Pid); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

// One that is interrupted leaves nothing behind that the next one would answer.
func TestOneThatIsInterrupted(t *testing.T) {
	server := serve(t)
	c, err := client.New(server)
	if err != nil {
		t.Fatal(err)
	}
	session, err := c.Session("key", client.Answer)
	if err != nil {
		t.Fatal(err)
	}
	alone := start(t, server, "key")
	if _, err := session.Messages(t.Context(), "", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := alone.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := alone.Wait(); err == nil || !strings.Contains(alone.out.String(), "context canceled") {
		t.Errorf("got %v, want it to say why it ends; it printed\n%s", err, &alone.out)
	}
	one, other := start(t, server, "key"), start(t, server, "key")
	for _, h := range []*hello{one, other} {
		if err := h.Wait(); err != nil {
			t.Errorf("got %v, want it to end well; it printed\n%s", err, &h.out)
		}
	}
}

// Without a key it says what is wrong.
func TestWithoutAKey(t *testing.T) {
	h := start(t, "http://localhost:1", "")
	if err := h.Wait(); err == nil || !strings.Contains(h.out.String(), "KeyIsEmpty (the request names no key, or a blank one)") {
		t.Errorf("got %v, %s, want it to name the key", err, &h.out)
	}
}
