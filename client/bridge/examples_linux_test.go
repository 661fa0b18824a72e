package bridge

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signal-server/client"
	asking "signal-server/test/until" // there is an until in this package
)

const examplesVariable = "SIGNAL_SERVER_TEST_EXAMPLES"

// TestExamplesAreStartedAgain kills one of the two programs of client/examples/pion-to-pion before they are connected, and starts it again.
// They find each other within 5 s of both being there, though neither knows of its former life.
func TestExamplesAreStartedAgain(t *testing.T) {
	var programs string
	if os.Getenv(insideVariable) == "" {
		if testing.Short() {
			t.Skip("it builds two programs")
		}
		programs = t.TempDir()
		build := exec.CommandContext(t.Context(), "go", "build", "-o", programs, "./client/examples/pion-to-pion/...")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: got %v\n%s", err, out)
		}
	}
	if !inNamespace(t, 75*time.Second, examplesVariable+"="+programs) {
		return
	}
	makeInterfaces(t)
	server := startServer(t)
	start := func(t *testing.T, role client.Role) *typed {
		t.Helper()
		program := filepath.Join(os.Getenv(examplesVariable), string(role))
		return typeLine(t, "exec "+program+" -server "+server+" -key "+t.Name()[len("TestExamplesAreStartedAgain/"):])
	}
	met := func(t *testing.T, since time.Time, programs ...*typed) {
		t.Helper()
		for _, p := range programs {
			p.want(t, "received ")
		}
		if got, most := time.Since(since), 5*time.Second; got > most {
			t.Errorf("they met after %v, want %v at the most", got, most)
		}
	}
	session := func(t *testing.T) *client.Session {
		t.Helper()
		c, err := client.New(server)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Session(t.Name()[len("TestExamplesAreStartedAgain/"):], client.Answer)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("the-offer", func(t *testing.T) {
		first := start(t, client.Offer)
		asking.Nil(t, patience, func() error { // it has offered
			_, err := session(t).Messages(t.Context(), "", 0)
			return err
		})
		first.kill()
		offer := start(t, client.Offer)
		began := time.Now()
		met(t, began, start(t, client.Answer), offer)
	})
	t.Run("the-answer", func(t *testing.T) {
		offer := start(t, client.Offer)
		answerAndVanish(t, session(t))
		began := time.Now()
		met(t, began, start(t, client.Answer), offer)
	})
}

// kill ends the program at once.
func (p *typed) kill() { p.shell.Process.Kill() }

// answerAndVanish answers the offer as a program does that is killed when it has put its answer.
func answerAndVanish(t *testing.T, s *client.Session) {
	t.Helper()
	in := s.Inbox("")
	m, err := in.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	var offer webrtc.SessionDescription
	if err := json.Unmarshal([]byte(m.Data), &offer); err != nil {
		t.Fatal(err)
	}
	if err := pc.SetRemoteDescription(offer); err != nil {
		t.Fatal(err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Exchange(t.Context(), client.Write{SDP: string(text)}, 0); err != nil {
		t.Fatal(err)
	}
}
