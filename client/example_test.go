package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"signal-server/client"
	"signal-server/custerrors"
)

// An answerer by hand: it waits for the offer, puts its answer, and follows the offerer's candidates to the session's end.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.New("http://localhost:8080")
	if err != nil {
		log.Fatal(err)
	}
	session, err := c.Session("a random string that both know", client.Answer)
	if err != nil {
		log.Fatal(err)
	}
	in := session.Inbox("")
	for m, err := range in.All(ctx) {
		switch {
		case errors.Is(err, custerrors.KeyIsExpired):
			return
		case err != nil:
			log.Fatal(err)
		case m.Kind == client.SDP:
			answer := client.Write{SDP: "the answer to " + m.Data, Candidates: []string{"mine"}}
			if err := in.Exchange(ctx, answer, 0); err != nil {
				log.Fatal(err)
			}
		default:
			fmt.Println("a candidate:", m.Data)
		}
	}
}

// The operator of a server that asks for tokens gives you one, as signal-server token prints it. Keep it out of the program's text.
func ExampleWithToken() {
	c, err := client.New("https://signal.example", client.WithToken(os.Getenv("TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	session, err := c.Session("a random string that both know", client.Offer)
	if err != nil {
		log.Fatal(err)
	}
	err = session.PutSDP(context.Background(), "v=0…", 0)
	if errors.Is(err, custerrors.NotAuthenticated) {
		log.Fatal("the server does not take this token: ", err)
	}
}

// Tokens that expire come from whoever hands them out. Here a file holds the current one.
func ExampleWithTokenFunc() {
	c, err := client.New("https://signal.example", client.WithTokenFunc(func(context.Context) (string, error) {
		token, err := os.ReadFile("/run/secrets/token")
		return strings.TrimSpace(string(token)), err
	}))
	fmt.Println(c != nil, err)
	// Output: true <nil>
}

func ExampleRandomKey() {
	key := client.RandomKey()
	fmt.Println(len(key), key != client.RandomKey())
	// Output: 22 true
}

// Each msg of the server is a constant of custerrors. The text of an error has its name and its meaning in English, too.
func ExampleError() {
	var err error = &client.Error{Method: "GET", Path: "/offer/messages", Status: 200, Msg: custerrors.SdpNoValues}
	fmt.Println(errors.Is(err, custerrors.SdpNoValues))
	fmt.Println(err)
	// Output:
	// true
	// client: GET /offer/messages: SdpNoValues (the sdp is not put yet, or is taken already): sdp没有值
}
