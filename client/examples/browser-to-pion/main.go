// Command browser-to-pion lets a page talk to a Pion program. The program sends back what the page says on a data channel, and shows
// it a video track. Start the server, then this, and open the page that it names:
//
//	go run .
//	go run ./client/examples/browser-to-pion
//
// The page and this program meet at the signaling server as any two peers do, in either role. Besides the server they need a key that
// both know: the page asks this program for one.
//
//	page ──────── POST /call?role=answer ───────▶ this program   a key for the roles that they take
//	page ◀────── offer, answer, candidates ──────▶ this program   through the signaling server
//	page ◀───────── data channel, video ─────────▶ this program   directly
package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"signal-server/client"
	"signal-server/client/js"
)

//go:embed index.html page.js
var files embed.FS

func main() {
	server := flag.String("server", "http://localhost:8080", "`URL` of the signaling server, as the page reaches it too")
	listen := flag.String("listen", "localhost:8081", "`address` to serve the page on")
	stun := flag.String("stun", "", "a STUN server, such as stun:stun.example.org:3478; needed across NATs only")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *server, *listen, *stun); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, server, listen, stun string) error {
	c, err := client.New(server)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	calls := newCalls(ctx, c, server, stun)
	defer calls.wait()
	defer cancel()

	mux := newPages()
	mux.HandleFunc("POST /call", calls.serve)

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	page := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { page.Close() })
	fmt.Printf("open http://%s\n", listener.Addr())
	if err := page.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newPages serves the page and what it loads: the browser client with its source map.
func newPages() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	for path, file := range map[string][]byte{"/signal.js": js.Signal, "/signal.js.map": js.SourceMap} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, path, time.Time{}, bytes.NewReader(file))
		})
	}
	return mux
}
