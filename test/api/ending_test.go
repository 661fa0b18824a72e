package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"signal-server/cache"
	"signal-server/test/until"
)

// writes is a store that notes what was written to it.
type writes struct {
	cache.Store
	done sync.Map // keys, as strings
}

func (w *writes) Write(ctx context.Context, dst []byte, post cache.Write) ([]byte, cache.Cursor, error) {
	out, next, err := w.Store.Write(ctx, dst, post)
	if err == nil {
		w.done.Store(strings.Clone(string(post.Key)), true)
	}
	return out, next, err
}

// TestWhatIsDoneAtTheEndIsAnswered ends a server while clients post all the time: over connections that they keep, over new ones, and with a
// next request on its way behind each. What was done was answered, whole.
func TestWhatIsDoneAtTheEndIsAnswered(t *testing.T) {
	const rounds, clients = 5, 6 // of each sort
	post := func(key string) string {
		body := open("o")
		return fmt.Sprintf("POST /offer/sdp HTTP/1.1\r\nHost: x\r\nkey: %s\r\nContent-Length: %d\r\n\r\n%s", key, len(body), body)
	}
	for range rounds {
		w := new(writes)
		s := serve(t, func(o *options) {
			o.config.Limits.ClientMemory = cache.Share{} // all of them are one client
			o.memory = 1 << 30                           // for what is set aside for all that they open: some 68,000 sessions
			o.wrap = func(store cache.Store) cache.Store {
				w.Store = store
				return w
			}
		})
		var asked atomic.Int64
		var answered sync.Map
		var asking sync.WaitGroup
		ask := func(conn net.Conn, br *bufio.Reader, keeps, pipelines bool) {
			for {
				keys := []string{newKey()}
				if pipelines {
					keys = append(keys, newKey())
				}
				text := ""
				for _, key := range keys {
					text += post(key)
				}
				io.WriteString(conn, text)
				for _, key := range keys {
					a, err := tryAnswer(br, "POST")
					if err != nil {
						conn.Close()
						return
					}
					a.expect(t, "a post", "", "")
					answered.Store(key, true)
					asked.Add(1)
					if a.header.Get("Connection") == "close" {
						conn.Close()
						return
					}
				}
				if keeps {
					continue
				}
				conn.Close()
				next, err := s.over.dial(s.addr)
				if err != nil {
					return
				}
				conn = next
				br.Reset(conn)
			}
		}
		for range clients {
			for _, how := range []struct{ keeps, pipelines bool }{{true, false}, {true, true}, {false, false}} {
				conn, br := s.dial(t) // here: a server that has ended takes no connection
				asking.Go(func() { ask(conn, br, how.keeps, how.pipelines) })
			}
		}
		until.Nil(t, soon, func() error {
			if got := asked.Load(); got < 20*clients {
				return fmt.Errorf("got %d answers, want some for each", got)
			}
			return nil
		})
		s.stop()
		asking.Wait()
		w.done.Range(func(key, _ any) bool {
			if _, ok := answered.Load(key); !ok {
				t.Errorf("a post: got it done and not answered, want both or neither")
			}
			return true
		})
	}
}
