package program_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signal-server/test/until"
)

// TestSIGTERMUnderLoad ends the program while clients post all the time, over connections that they keep. What the program has done, by its own
// access log, was answered; from the signal on an answer says that it is the connection's last one.
func TestSIGTERMUnderLoad(t *testing.T) {
	for _, delay := range []time.Duration{0, 500 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			t.Parallel()
			const clients = 8
			p := run(t, nil, "--listen=127.0.0.1:0", "--admin=", "--access-log=1", "--shutdown-delay="+delay.String())
			var leaving atomic.Bool
			var answered, last, kept atomic.Int64
			var posting sync.WaitGroup
			post := func(client int) {
				var conn net.Conn
				var br *bufio.Reader
				begunLeaving := false // when the request was sent
				for n := 0; ; n++ {
					if conn == nil {
						var err error
						if conn, err = net.Dial("tcp", strings.TrimPrefix(p.url, "http://")); err != nil {
							return // it has ended
						}
						br = bufio.NewReader(conn)
					}
					begunLeaving = leaving.Load()
					const body = `{"data":"o"}`
					fmt.Fprintf(conn, "POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: %d-%d\r\nContent-Length: %d\r\n\r\n%s", client, n, len(body), body)
					a, err := http.ReadResponse(br, nil)
					if err != nil { // the request and the end of the connection have crossed
						conn.Close()
						conn = nil
						continue
					}
					io.Copy(io.Discard, a.Body)
					answered.Add(1)
					switch {
					case a.Close:
						last.Add(1)
						conn.Close()
						conn = nil
					case begunLeaving:
						kept.Add(1)
					}
				}
			}
			for i := range clients {
				posting.Go(func() { post(i) })
			}
			until.Nil(t, patience/2, func() error {
				if got := answered.Load(); got < 20*clients {
					return fmt.Errorf("got %d answers, want some for each client", got)
				}
				return nil
			})
			if delay > 0 { // the program knows of the signal soon after it was sent
				later := time.AfterFunc(delay/2, func() { leaving.Store(true) })
				defer later.Stop()
			}
			p.end(t, syscall.SIGTERM)
			posting.Wait()
			done := int64(strings.Count(p.log.String(), `route="POST /offer/sdp" status=200 result=ok`))
			if got := answered.Load(); done == 0 || done > got {
				t.Errorf("got %d posts done and %d answered, want every one answered that was done", done, got)
			}
			if delay > 0 && last.Load() == 0 { // without it there may be no request under way
				t.Error("got no answer that says that it is the last one, want them after the signal")
			}
			if got := kept.Load(); got > 0 {
				t.Errorf("got %d answers long after the signal that keep their connection, want none", got)
			}
		})
	}
}
