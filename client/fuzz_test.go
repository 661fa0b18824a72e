package client_test

import (
	"net/http"
	"testing"

	"signal-server/client"
)

// Whatever a server answers, a Batch is as documented: the sdp comes first and once, and a cursor is behind the messages.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"msg":"","data":{"next":"A","messages":[`+offerSDP+`,`+first+`]}}`, "")
	f.Add(200, `{"msg":"","data":{"next":"B","messages":[`+second+`]}}`, "A")
	f.Add(200, `{"msg":"key已过期","data":null}`, "A")
	f.Add(503, `<html>`, "")
	f.Add(200, `{"msg":null,"data":[]}`, "")
	f.Fuzz(func(t *testing.T, status int, body, after string) {
		played := &script{t: t, steps: []step{{status: max(status, 100), body: body}}}
		s := newSession(t, "http://server.example", "key", client.Answer,
			client.WithHTTPClient(&http.Client{Transport: played}), client.WithRetry(client.NoRetry))
		b, err := s.Messages(t.Context(), client.Cursor(after), 0)
		if err != nil {
			if len(b.Messages) != 0 || b.Next != client.Cursor(after) {
				t.Errorf("got %+v with error %v, want an empty batch", b, err)
			}
			return
		}
		for i, m := range b.Messages {
			switch {
			case m.Kind == client.SDP && i == 0:
			case m.Kind == client.Candidate && (i > 0 || after != ""):
			default:
				t.Errorf("got message %d of kind %q after cursor %q", i, m.Kind, after)
			}
		}
		if len(b.Messages) > 0 && (b.Next == "" || b.Next == client.Cursor(after)) {
			t.Errorf("got messages and cursor %q after %q", b.Next, after)
		}
	})
}
