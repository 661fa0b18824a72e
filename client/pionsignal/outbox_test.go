package pionsignal

import (
	"slices"
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
	if got, all := o.take(); !slices.Equal(got, []string{hostJSON}) || all {
		t.Errorf("got %q, %v, want %q and more to come", got, all, hostJSON)
	}
	o.add(host(9))
	o.add(nil)
	o.add(nil)
	o.add(host(10))
	<-o.gathered
	<-o.added
	if got, all := o.take(); !slices.Equal(got, []string{hostJSON, endJSON}) || !all {
		t.Errorf("got %q, %v, want %q, %q and no more to come", got, all, hostJSON, endJSON)
	}
	if got, all := o.take(); len(got) != 0 || !all {
		t.Errorf("got %q, %v, want nothing left", got, all)
	}
}

func TestOutboxWithoutCandidates(t *testing.T) {
	o := newOutbox()
	o.add(nil)
	if got, all := o.take(); !slices.Equal(got, []string{noneJSON}) || !all {
		t.Errorf("got %q, %v, want %q", got, all, noneJSON)
	}
}

func TestAClosedOutboxKeepsNothing(t *testing.T) {
	o := newOutbox()
	o.add(host(9))
	o.close()
	o.add(host(10))
	o.add(nil)
	if got, all := o.take(); len(got) != 0 || all {
		t.Errorf("got %q, %v, want nothing", got, all)
	}
}
