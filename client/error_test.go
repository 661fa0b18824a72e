package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// Errors say in English what the server says in Chinese, with the status where it is not 200, and each begins with the package's name once.
func TestErrorsReadWell(t *testing.T) {
	for want, does := range map[string]step{
		"SdpNoValues (the sdp is not put yet, or is taken already): sdp没有值":                                                               refusal(200, custerrors.SdpNoValues),
		"NotAllowed (the client may not do this: its token is for another key or role, or somebody else holds the role): 没有权限 (HTTP 403)": refusal(403, custerrors.NotAllowed),
		"QueueIsFull (the role's queue has no room for these candidates; none of them was taken): 队列已满 (HTTP 429, retry after 2s)":        refusal(429, custerrors.QueueIsFull).retryAfter("2"),
		`a msg that this client does not know: "new\nmsg" (HTTP 418)`:                                                                     refusal(418, custerrors.Error("new\nmsg")),
		`a msg that this client does not know: "` + strings.Repeat("新", 100) + `"`:                                                        refusal(200, custerrors.Error(strings.Repeat("新", 200))),
		"HTTP 502 Bad Gateway, not from a signaling server: a proxy answers, or the URL is another one's":                                 {status: 502, body: "<html>"},
		"HTTP 308: it is redirected to https://server.example; give the client that URL": {status: 308, header: http.Header{
			"Location": {"https://server.example/offer/messages?key=secret"},
		}},
		"HTTP 404 Not Found, not from a signaling server: a proxy answers, or the URL is another one's":                            {status: 404},
		"HTTP 599, not from a signaling server: a proxy answers, or the URL is another one's":                                      {status: 599},
		"HTTP 503 Service Unavailable, not from a signaling server: a proxy answers, or the URL is another one's (retry after 1s)": step{status: 503}.retryAfter("1"),
		"broken answer, not a signaling server's: invalid character '<' looking for beginning of value":                            {status: 200, body: "<html>"},
		"broken answer, not a signaling server's: it has no msg":                                                                   {status: 200, body: "{}"},
		"broken answer: unexpected EOF":             {status: 200, body: `{"msg":"","da…`},
		"broken answer: a candidate before its sdp": batch("n", first),
		"answer too long: over 1000 bytes":          {status: 200, body: strings.Repeat("x", 1001)},
		"connection reset by peer":                  {},
		"no answer within 4s":                       ok("null").late(time.Hour),
	} {
		play(t, client.Offer, []step{does}, func(t *testing.T, s *client.Session, _ *script) {
			_, err := s.Messages(t.Context(), "", 0)
			if got, want := fmt.Sprint(err), "client: GET /offer/messages: "+want; got != want {
				t.Errorf("got\n%s, want\n%s", got, want)
			}
		}, client.WithRetry(client.NoRetry), client.WithMaxReply(1000), client.WithTimeout(4*time.Second))
	}
}

// So do those with two reasons, and those for which no server is asked.
func TestErrorsBeginOnce(t *testing.T) {
	play(t, client.Offer, []step{refusal(503, custerrors.ServerIsShuttingDown).retryAfter("60")}, func(t *testing.T, s *client.Session, _ *script) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err := s.PutSDP(ctx, "x", 0)
		want := "client: context canceled, after POST /offer/sdp: ServerIsShuttingDown (this server ends; ask again, and another one may answer): 服务正在关闭 (HTTP 503, retry after 1m0s)"
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	})
	c, err := client.New("http://server.example", client.WithHTTPClient(&http.Client{Transport: &script{t: t}}))
	if err != nil {
		t.Fatal(err)
	}
	_, noKey := c.Session(" ", client.Offer)
	_, longKey := c.Meeting(strings.Repeat("k", 33))
	_, noRole := c.Session("key", "both")
	s, err := c.Session("key", client.Offer)
	if err != nil {
		t.Fatal(err)
	}
	_, secret := client.New("http://me:pass@server.example:x")
	for want, err := range map[string]error{
		"client: KeyIsEmpty (the request names no key, or a blank one): key为空":                               noKey,
		"client: KeyIsTooLong (the key has more than 32 characters (Unicode code points)): key太长，长度不能超过32位":  longKey,
		`client: role "both" is neither "offer" nor "answer"`:                                                noRole,
		"client: BodyIsNotUTF8 (the body, or a payload in it, is not valid UTF-8 text): body不是有效的UTF-8":      s.AddCandidate(t.Context(), "\xff"),
		"client: BodyIsEmpty (the body, or a payload in it, is missing or blank (white space only)): body为空": s.AddCandidate(t.Context(), " "),
		`client: base URL: invalid port ":x" after host`:                                                     secret,
	} {
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
	if !errors.Is(noKey, custerrors.KeyIsEmpty) {
		t.Errorf("errors.Is: got false for %v, want true", noKey)
	}
}
