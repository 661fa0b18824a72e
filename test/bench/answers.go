package main

// What the signaling API answers, and what is posted to it. It is written out here and not taken from the server, so that a fault there
// is not a fault here too.

const (
	done      = `{"msg":"","data":null}`
	nothing   = `{"msg":"candidate没有值","data":null}`
	noSDP     = `{"msg":"sdp没有值","data":null}`
	noSession = `{"msg":"key未找到","data":null}`
)

// anyCursor stands for a cursor in an expected answer: only the server knows which it will be.
const anyCursor = "\x00"

const cursorLen = 11 // of this server's

// appendOne appends the answer with one payload.
func appendOne(dst []byte, p payload) []byte {
	return append(p.appendWire(append(dst, `{"msg":"","data":"`...)), `"}`...)
}

// appendStrings appends the candidates 1 to n as an array of strings.
func appendStrings(dst []byte, n int, candidate func(n int) payload) []byte {
	dst = append(dst, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			dst = append(dst, ',')
		}
		dst = append(candidate(i).appendWire(append(dst, '"')), '"')
	}
	return append(dst, ']')
}

// appendAll appends the answer with all candidates of a role's handshake.
func appendAll(dst []byte, key, role string) []byte {
	dst = append(dst, `{"msg":"","data":`...)
	dst = appendStrings(dst, candidatesASide, func(n int) payload { return short(key, role, n) })
	return append(dst, '}')
}

// appendNews appends the answer with everything that a role writes in a handshake.
func appendNews(dst []byte, key, role string) []byte {
	dst = append(dst, `{"msg":"","data":{"next":"`+anyCursor+`","messages":[{"type":"sdp","data":"`...)
	dst = sdp(key, role).appendWire(dst)
	for n := 1; n <= candidatesASide; n++ {
		dst = append(dst, `"},{"type":"candidate","data":"`...)
		dst = short(key, role, n).appendWire(dst)
	}
	return append(dst, `"}]}}`...)
}

// noNews is the answer to a write by messages, when there is nothing to read.
const noNews = `{"msg":"","data":{"next":"` + anyCursor + `","messages":[]}}`

// appendOffer appends the body of POST /offer/sdp.
func appendOffer(dst []byte, key string) []byte {
	return append(sdp(key, "offer").appendWire(append(dst, `{"key_ttl":30,"data":"`...)), `"}`...)
}

// appendPost appends the body of POST messages: everything that a role writes in a handshake.
func appendPost(dst []byte, key, role string) []byte {
	return appendPostOf(dst, key, role, candidatesASide, func(n int) payload { return short(key, role, n) })
}

func appendPostOf(dst []byte, key, role string, n int, candidate func(n int) payload) []byte {
	dst = append(sdp(key, role).appendWire(append(dst, `{"key_ttl":30,"sdp":"`...)), `","candidates":`...)
	return append(appendStrings(dst, n, candidate), '}')
}
