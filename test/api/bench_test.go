package api_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// BenchmarkLoopback measures the whole way of a request over one kept connection, the client included. The last benchmark is the cost of
// doing nothing: Fiber with an empty handler.
func BenchmarkLoopback(b *testing.B) {
	for _, h := range []struct{ name, line string }{
		{"GET candidate, nothing there", "GET /answer/candidate"},
		{"GET messages, an sdp and 6 candidates", "GET /answer/messages"},
		{"GET healthz", "GET /healthz"},
	} {
		b.Run(h.name, func(b *testing.B) {
			s := serve(b, roomy)
			key := newKey()
			s.do(b, request{line: "POST /offer/sdp", key: key, body: open(hotSDP)})
			if strings.Contains(h.name, "6 candidates") {
				s.do(b, request{line: "POST /offer/candidates", key: key, body: times(6, hotCandidate)})
			}
			conn, br := s.dial(b)
			repeatRequest(b, conn, br, h.line+" HTTP/1.1\r\nHost: x\r\nkey: "+key+"\r\n\r\n")
		})
	}
	b.Run("Fiber with an empty handler", func(b *testing.B) {
		f := fiber.New(fiber.Config{DisableStartupMessage: true, CaseSensitive: true})
		f.Get("/answer/candidate", func(*fiber.Ctx) error { return nil })
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go f.Listener(listener)
		defer f.Shutdown()
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		repeatRequest(b, conn, bufio.NewReader(conn), "GET /answer/candidate HTTP/1.1\r\nHost: x\r\nkey: "+newKey()+"\r\n\r\n")
	})
}

// repeatRequest sends one request over and over. All its answers have the same length.
func repeatRequest(b *testing.B, conn net.Conn, br *bufio.Reader, wire string) {
	b.Helper()
	sent := []byte(wire)
	conn.Write(sent)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 200 {
		b.Fatalf("got %v, %v, want 200", resp, err)
	}
	resp.Body.Close()
	conn.Write(sent)
	if _, err := br.Peek(1); err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, br.Buffered()) // small enough to come in one piece
	if _, err := io.ReadFull(br, answer); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(sent); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(br, answer); err != nil {
			b.Fatal(err)
		}
	}
}
