package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// The sizes of payloads in bytes: what browsers make for a data channel and a little media, with trickled candidates.
const (
	offerSDP        = 2100
	answerSDP       = 2000
	shortCandidate  = 120 // of a handshake
	longCandidate   = 150 // posted alone
	candidatesASide = 6
)

func otherRole(role string) string {
	if role == "offer" {
		return "answer"
	}
	return "offer"
}

// Every payload has a tag, key/role/number, in the place of its ICE user fragment. The tag tells it from all others
// of the run. Number 0 is the sdp. Tags are all of one length.
const tagLen = keyLen + len("/offer ") + len("/000")

// appendTag pads the shorter role.
func appendTag(dst []byte, key, role string, n int) []byte {
	dst = append(append(append(dst, key...), '/'), role...)
	if role == "offer" {
		dst = append(dst, '-')
	}
	return append(dst, '/', byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}

// template is a payload without its tag, as text and as the inside of a JSON string.
type template struct{ before, after, wireBefore, wireAfter string }

func newTemplate(before, after, filler string, size int) template {
	for fill := size - len(before) - len(after) - tagLen; fill > 0; fill = size - len(before) - len(after) - tagLen {
		if fill < 2*len(filler) { // the last one fits exactly, whatever it means
			filler = "a=" + strings.Repeat("x", fill-4) + "\r\n"
		}
		after += filler
	}
	escape := strings.NewReplacer("\r", `\r`, "\n", `\n`)
	return template{before, after, escape.Replace(before), escape.Replace(after)}
}

const (
	sdpBefore = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n" +
		"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:"
	sdpAfter = "\r\na=ice-pwd:Yj5Zr0gN6vDk8mQ1xT2bLw3c\r\na=ice-options:trickle\r\na=setup:actpass\r\na=mid:0\r\n"
	sdpLine  = "a=rtcp-fb:111 transport-cc and nothing\r\n"

	candidateBefore = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx ufrag "
)

var (
	offerTemplate  = newTemplate(sdpBefore, sdpAfter, sdpLine, offerSDP)
	answerTemplate = newTemplate(sdpBefore, sdpAfter, sdpLine, answerSDP)
	shortTemplate  = candidateTemplate(shortCandidate)
	longTemplate   = candidateTemplate(longCandidate)
)

func candidateTemplate(size int) template {
	t := template{before: candidateBefore, wireBefore: candidateBefore}
	t.after = " " + strings.Repeat("9", size-len(t.before)-tagLen-1)
	t.wireAfter = t.after
	return t
}

// payload is one text that is relayed.
type payload struct {
	*template
	key, role string
	n         int
}

func sdp(key, role string) payload {
	if role == "offer" {
		return payload{&offerTemplate, key, role, 0}
	}
	return payload{&answerTemplate, key, role, 0}
}

// short and long return candidate n, counted from 1, of a role.
func short(key, role string, n int) payload { return payload{&shortTemplate, key, role, n} }
func long(key, role string, n int) payload  { return payload{&longTemplate, key, role, n} }

func (p payload) appendText(dst []byte) []byte {
	return append(appendTag(append(dst, p.before...), p.key, p.role, p.n), p.after...)
}

// appendWire appends the payload as the inside of a JSON string.
func (p payload) appendWire(dst []byte) []byte {
	return append(appendTag(append(dst, p.wireBefore...), p.key, p.role, p.n), p.wireAfter...)
}

// Keys are of one length, and none comes twice, in this run or in one that ran just before.
const keyLen = 24

var (
	keyPrefix = uint32(time.Now().Unix())
	keys      atomic.Uint64
)

func newKey() string { return fmt.Sprintf("%08x%016x", keyPrefix, keys.Add(1)) }
