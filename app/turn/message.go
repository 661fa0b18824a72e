package turn

import "encoding/binary"

// What a message is, told by its first bytes: a STUN message (RFC 8489, Section 5), or the data of a channel (RFC 8656, Section 12.4).
const (
	stunHeader    = 20 // bytes: type, length of what follows, cookie, transaction
	channelHeader = 4  // bytes: number, length of the data
	magicCookie   = 0x2112A442

	bindingRequest = 0x0001
	classResponse  = 0x0100 // the bit that success and error have, and request and indication have not

	attrMessageIntegrity = 0x0008
	attrLifetime         = 0x000D
	attrNonce            = 0x0015

	maxNonce = 128 // characters (RFC 8489, Section 14.10), and what is none is not much longer
)

// isBinding reports whether a message is a request of STUN: what address am I seen by?
func isBinding(m []byte) bool {
	return len(m) >= stunHeader && binary.BigEndian.Uint16(m) == bindingRequest
}

// isAnswer reports whether a message is an answer to a request.
func isAnswer(m []byte) bool {
	return len(m) >= stunHeader && m[0]>>6 == 0 && binary.BigEndian.Uint16(m)&classResponse != 0
}

// isSigned reports whether a STUN message has MESSAGE-INTEGRITY (RFC 8489, Section 14.5).
func isSigned(m []byte) bool {
	_, ok := attribute(m, attrMessageIntegrity)
	return ok
}

// attribute returns the first attribute of that type in a STUN message (RFC 8489, Section 14). ok says that there is one.
func attribute(m []byte, of uint16) (value []byte, ok bool) {
	attributes := m[stunHeader:]
	attributes = attributes[:min(len(attributes), int(binary.BigEndian.Uint16(m[2:])))] // what follows is not of the message
	for rest := attributes; len(rest) >= 4; {
		length := int(binary.BigEndian.Uint16(rest[2:]))
		whole := 4 + (length+3)&^3
		if whole > len(rest) {
			return nil, false
		}
		if binary.BigEndian.Uint16(rest) == of {
			return rest[4 : 4+length], true
		}
		rest = rest[whole:]
	}
	return nil, false
}

// wantsNoTime reports whether a request for a relay is for one of no time, which pion refuses without asking for a port.
func wantsNoTime(m []byte) bool {
	lifetime, ok := attribute(m, attrLifetime)
	return ok && len(lifetime) == 4 && binary.BigEndian.Uint32(lifetime) == 0
}

// lengthOf returns how long a message is that begins with these 4 bytes, with its padding as it comes over a stream (RFC 8656, Section 12.5); 0: it
// is none.
func lengthOf(head []byte) int {
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch head[0] >> 6 {
	case 0:
		if length%4 != 0 {
			return 0
		}
		return stunHeader + length
	case 1:
		return channelHeader + (length+3)&^3
	default:
		return 0
	}
}

// isSound reports whether a whole message is not one of STUN in its looks only, such as the beginning of TLS.
func isSound(m []byte) bool { return m[0]>>6 != 0 || binary.BigEndian.Uint32(m[4:]) == magicCookie }

// isOverlong reports whether a STUN message has a nonce of a length that none has: pion reads a nonce as one number, in time that grows by the square.
// What begins by 10 or 11 in bits is no STUN message (RFC 8489, Section 5), but pion takes it for one.
func isOverlong(m []byte) bool {
	if len(m) < stunHeader || m[0]>>6 == 1 {
		return false
	}
	nonce, ok := attribute(m, attrNonce)
	return ok && len(nonce) > maxNonce
}
