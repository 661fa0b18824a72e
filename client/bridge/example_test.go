package bridge_test

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strings"

	"signal-server/client"
	"signal-server/client/bridge"
)

// A program that answers, listens at 60000 and posts to 50000, meets its peer through a server: sealed, and with a token.
func ExampleRun() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := bridge.Run(ctx, bridge.Config{
		Server:  "https://signal.example",
		Key:     "a random string that both know",
		Secret:  "correct horse battery staple",
		Role:    client.Answer,
		Listen:  "127.0.0.1:50000",
		Forward: "127.0.0.1:60000",
		Token: func(context.Context) (string, error) {
			token, err := os.ReadFile("/run/secrets/token")
			return strings.TrimSpace(string(token)), err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
}
