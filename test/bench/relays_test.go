package main

import (
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/sys/unix"
)

func TestRelayed(t *testing.T) {
	r := relayed{cpu: 40 * time.Millisecond, sent: 2000, delivered: 1250} // 10 Mbit
	if got := r.perMbit(); got != 4 {
		t.Errorf("CPU: got %v ms a Mbit, want 4", got)
	}
	if got := r.lost(); got != 37.5 {
		t.Errorf("lost: got %v %%, want 37.5", got)
	}
}

// TestHear has a speaker hear what it should, and what no server may send.
func TestHear(t *testing.T) {
	packets := func(numbers ...uint32) (all [][]byte) {
		s := newSpeaker(nil, 1)
		for _, n := range numbers {
			all = append(all, append([]byte(nil), s.numbered(n)...))
		}
		return all
	}
	torn := packets(6)
	torn[0][500]++
	for _, test := range []struct {
		name    string
		packets [][]byte
		heard   int
		wrong   bool
	}{
		{name: "all", packets: packets(6, 7, 8), heard: 3},
		{name: "one is lost", packets: packets(6, 8), heard: 2},
		{name: "one of the go before", packets: packets(5, 6), heard: 1},
		{name: "twice", packets: packets(6, 6), heard: 1, wrong: true},
		{name: "never sent", packets: packets(9), wrong: true},
		{name: "torn", packets: torn, wrong: true},
		{name: "short", packets: [][]byte{{1, 2, 3}}, wrong: true},
		{name: "another's", packets: [][]byte{newSpeaker(nil, 2).numbered(6)}, wrong: true},
	} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		partner := newSpeaker(nil, 1)
		partner.before, partner.sent = 5, 8
		s := &speaker{fd: pair[0], partner: partner}
		heard, wrong, in := 0, false, make([]byte, 2048)
		for _, p := range test.packets {
			if _, err := unix.Write(pair[1], p); err != nil {
				t.Fatal(err)
			}
			n, err := s.hear(in, new(faults))
			heard, wrong = heard+n, wrong || err != nil
		}
		if n, err := s.hear(in, new(faults)); n != 0 || err != nil {
			t.Errorf("%s: got %d, %v where nothing more came, want 0, nil", test.name, n, err)
		}
		if heard != test.heard || wrong != test.wrong {
			t.Errorf("%s: heard %d, wrong is %v, want %d, %v", test.name, heard, wrong, test.heard, test.wrong)
		}
		unix.Close(pair[0])
		unix.Close(pair[1])
	}
}

func TestPeerAddress(t *testing.T) {
	at := stun.XORMappedAddress{IP: []byte{127, 0, 0, 1}, Port: 50000}
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, peerAddress(at))
	if err != nil {
		t.Fatal(err)
	}
	var got stun.XORMappedAddress
	if err := got.GetFromAs(m, stun.AttrXORPeerAddress); err != nil || got.String() != at.String() {
		t.Errorf("got %v, %v, want %v", got, err, at)
	}
}
