package turn

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// FuzzStream reads messages from what a connection brings, in pieces of any size, and wants each to be a whole one and as it came.
func FuzzStream(f *testing.F) {
	binding, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(binding.Raw, byte(3))
	f.Add([]byte{0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0}, byte(0))
	f.Add(append([]byte{0x40, 0, 0, 0}, binding.Raw...), byte(1))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), byte(0))
	f.Add([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, byte(0))
	f.Fuzz(func(t *testing.T, sent []byte, piece byte) {
		s := newStream(&pieces{rest: sent, size: 1 + int(piece)}, nil, &front{server: &Server{patience: usualPatience}}, func() {})
		message := make([]byte, maxMessage)
		for whole := sent; ; {
			n, err := s.read(message)
			if err != nil {
				return
			}
			if n == 0 || n >= maxMessage || n > len(whole) || !bytes.Equal(message[:n], whole[:n]) {
				t.Fatalf("got a message of %d bytes, which is not what came", n)
			}
			whole = whole[n:]
			isBinding(message[:n])
			if isAnswer(message[:n]) {
				isSigned(message[:n])
			}
		}
	})
}

// pieces is a connection that brings some bytes, a piece at a time.
type pieces struct {
	net.Conn
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (*pieces) SetReadDeadline(time.Time) error { return nil }
func (*pieces) Close() error                    { return nil }

// FuzzIsSigned compares with pion's reader what is found in a message.
func FuzzIsSigned(f *testing.F) {
	for _, more := range [][]stun.Setter{nil, {stun.NewSoftware("a")}, {stun.MessageIntegrity("key")}, {stun.NewSoftware("abc"), stun.MessageIntegrity("key"), stun.Fingerprint}} {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID, stun.BindingSuccess}, more...)...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := stun.Message{Raw: append([]byte(nil), raw...)}
		if len(raw) < stunHeader || m.Decode() != nil {
			if len(raw) >= stunHeader {
				isSigned(raw)
			}
			return
		}
		if got, want := isSigned(raw[:stunHeader+int(m.Length)]), m.Contains(stun.AttrMessageIntegrity); got != want {
			t.Errorf("%x: got signed %v, want %v", raw, got, want)
		}
	})
}
