package client_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		outcome client.Outcome
		want    string
	}{
		{client.Outcome{Connected: true, CandidateType: "srflx", Took: 1234567 * time.Microsecond}, `{"result":"connected","candidate_type":"srflx","ms":1234}`},
		{client.Outcome{Took: 15 * time.Second}, `{"result":"failed","ms":15000}`},
		{client.Outcome{Took: -time.Second}, `{"result":"failed","ms":0}`},
	} {
		play(t, client.Answer, []step{ok("null")}, func(t *testing.T, s *client.Session, played *script) {
			<-s.Report(c.outcome)
			r := played.seen[0]
			if got, want := r.Method+" "+r.URL.Path, "POST /answer/outcome"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := strings.TrimSpace(played.sent[0]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got, want := r.Header.Get("Key"), "key"; got != want {
				t.Errorf("got key %q, want %q", got, want)
			}
		})
	}
}

// A report is sent once, whether it succeeds or not, and given up after 5 s.
func TestAReportIsBestEffort(t *testing.T) {
	for name, does := range map[string]step{
		"a server that takes no reports": refusal(404, custerrors.RouteNotFound),
		"one that has too much to do":    refusal(503, custerrors.ServerIsOverloaded).retryAfter("1"),
		"a broken connection":            {},
		"an answer that never comes":     ok("null").late(time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			debug := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			play(t, client.Offer, []step{does}, func(t *testing.T, s *client.Session, _ *script) {
				began := time.Now()
				done := s.Report(client.Outcome{})
				if got := time.Since(began); got != 0 {
					t.Errorf("Report took %v, want it to return at once", got)
				}
				<-done
				if got, most := time.Since(began), 5*time.Second; got > most {
					t.Errorf("given up after %v, want %v at the most", got, most)
				}
				synctest.Wait()
				if got, want := log.String(), "level=DEBUG msg=\"the outcome was not reported\""; !strings.Contains(got, want) {
					t.Errorf("got the log %q, want %q in it", got, want)
				}
			}, client.WithLogger(debug))
		})
	}
}

func TestWaitWaitsForAllReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		played := &script{t: t, steps: []step{ok("null").late(3 * time.Second)}}
		c, err := client.New("http://server.example", client.WithHTTPClient(&http.Client{Transport: played}))
		if err != nil {
			t.Fatal(err)
		}
		c.Wait() // there are no reports
		s, err := c.Session("key", client.Offer)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		done := s.Report(client.Outcome{})
		c.Wait()
		if got, want := time.Since(began), 3*time.Second; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		select {
		case <-done:
		default:
			t.Error("Wait returned before the report was over")
		}
	})
}
