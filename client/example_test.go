package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
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
