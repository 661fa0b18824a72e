package seal_test

import (
	"fmt"
	"log"

	"signal-server/client"
	"signal-server/client/seal"
)

// Both peers know the words. The server learns a session key from which nobody can tell them. The two lines are those of
// docs/sealing.md.
func Example() {
	c, err := client.New("http://localhost:8080")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := seal.Derive("correct horse battery staple")
	if err != nil {
		log.Fatal(err)
	}
	session, err := c.Session(keys.SessionKey(), client.Offer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(keys.SessionKey(), session != nil)
	// Output: D0mW1LFCDJx2JmX3YyPoaA true
}
