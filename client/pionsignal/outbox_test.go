package pionsignal

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

func host(port uint16) *webrtc.ICECandidate {
	return &webrtc.ICECandidate{
		Foundation: "1", Priority: 7, Address: "127.0.0.1", Protocol: webrtc.ICEProtocolUDP, Port: port,
		Typ: webrtc.ICECandidateTypeHost, Component: 1, SDPMid: "data", SDPMLineIndex: 3,
	}
}

const (
	hostJSON = `{"candidate":"candidate:1 1 udp 7 127.0.0.1 9 typ host","sdpMid":"data","sdpMLineIndex":3,"usernameFragment":null}`
	endJSON  = `{"candidate":"","sdpMid":"data","sdpMLineIndex":3,"usernameFragment":null}`
	noneJSON = `{"candidate":"","sdpMid":null,"sdpMLineIndex":0,"usernameFragment":null}`
)

func TestOutboxKeepsTheOrderAndEndsOnce(t *testing.T) {
	o := newOutbox()
	o.add(host(9))
	if got := o.take(9); !slices.Equal(got.texts, []string{hostJSON}) || got.complete {
		t.Errorf("got %+v, want %q and more to come", got, hostJSON)
	}
	o.add(host(9))
	o.add(nil)
	o.add(nil)
	o.add(host(10))
	<-o.gathered
	<-o.added
	got := o.take(9)
	if !slices.Equal(got.texts, []string{hostJSON, endJSON}) || !got.complete {
		t.Errorf("got %+v, want %q, %q and no more to come", got, hostJSON, endJSON)
	}
	if got := o.take(9); len(got.texts) != 0 || !got.complete {
		t.Errorf("got %+v, want nothing left", got)
	}
	o.putBack(got)
	if got := o.take(9); !slices.Equal(got.texts, []string{hostJSON, endJSON}) || !got.complete {
		t.Errorf("put back: got %+v, want %q, %q again", got, hostJSON, endJSON)
	}
	o.putBack(batch{})
	if got := o.take(9); !slices.Equal(got.texts, []string{hostJSON, hostJSON, endJSON}) || !got.complete {
		t.Errorf("begun again: got %+v, want everything", got)
	}
}

func TestOutboxWithoutCandidates(t *testing.T) {
	o := newOutbox()
	o.add(nil)
	if got := o.take(9); !slices.Equal(got.texts, []string{noneJSON}) || !got.complete {
		t.Errorf("got %+v, want %q", got, noneJSON)
	}
}

func TestAClosedOutboxKeepsNothing(t *testing.T) {
	o := newOutbox()
	o.add(host(9))
	o.close()
	o.add(host(10))
	o.add(nil)
	if got := o.take(9); len(got.texts) != 0 || got.complete {
		t.Errorf("got %+v, want nothing", got)
	}
}

// Of more candidates than there is room for, the best go, in their order, and the end of candidates has its place.
func TestTheBestCandidatesGo(t *testing.T) {
	o := newOutbox()
	priorities := []uint32{5, 1, 9, 5, 7, 5}
	for i, p := range priorities {
		c := host(uint16(i))
		c.Priority = p
		o.add(c)
	}
	for room, want := range map[int][]int{0: nil, 1: {2}, 2: {2}, 3: {2, 4}, 4: {0, 2, 4}, 6: {0, 2, 3, 4, 5}, 7: {0, 1, 2, 3, 4, 5}} {
		b := o.take(room)
		var got []int
		for _, text := range b.texts {
			var place int
			if _, err := fmt.Sscanf(strings.Fields(text)[5], "%d", &place); err != nil {
				t.Fatal(err)
			}
			got = append(got, place)
		}
		if !slices.Equal(got, want) || b.leftOut != len(priorities)-len(want) {
			t.Errorf("room for %d: got %v and %d left out, want %v", room, got, b.leftOut, want)
		}
		o.putBack(b)
	}
	o.add(nil)
	if b := o.take(3); len(b.texts) != 3 || !strings.Contains(b.texts[2], `"candidate":""`) || b.leftOut != 4 {
		t.Errorf("with the end: got %+v, want two candidates and the end", b)
	}
}
