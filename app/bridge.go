package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"signal-server/app/flag"
	"signal-server/client"
	"signal-server/client/bridge"
)

// bridgeCommand lets a program that knows no server meet its peer through one.
type bridgeCommand struct {
	Server     string `required:"" help:"URL of the signaling server." placeholder:"URL"`
	Key        string `help:"The key that the two sides share; with --secret-file it may be left out." placeholder:"KEY"`
	Role       string `required:"" help:"Which program is on this side: offer or answer." placeholder:"ROLE"`
	Listen     string `required:"" help:"Address to listen on, where the local program posts to, as host:port." placeholder:"ADDRESS"`
	Forward    string `required:"" help:"Address where the local program listens, as host:port." placeholder:"ADDRESS"`
	TokenFile  string `secret:"" help:"File with the token that the server asks for. It is read for each request, so a new token counts at once." placeholder:"FILE"`
	SecretFile string `secret:"" help:"File with the secret that the two sides share: what passes is sealed end to end, and the server cannot read it." placeholder:"FILE"`
}

func (c *bridgeCommand) run(ctx context.Context, log *slog.Logger, wrong flag.Mistakes) error {
	config := bridge.Config{
		Server: c.Server, Key: c.Key, Role: client.Role(c.Role), Listen: c.Listen, Forward: c.Forward, Logger: log,
	}
	if c.TokenFile != "" {
		config.Token = func(context.Context) (string, error) { return readToken("--token-file", c.TokenFile) }
		_, err := config.Token(ctx)
		wrong.Add(err)
	}
	if c.SecretFile != "" {
		var err error
		config.Secret, err = readWords("--secret-file", c.SecretFile)
		wrong.Add(err)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return bridge.Run(ctx, config)
}

// readToken is readWords for a token: it can stand in a header.
func readToken(setting, path string) (string, error) {
	token, err := readWords(setting, path)
	if err != nil {
		return "", err
	}
	if _, err := client.New("http://localhost", client.WithToken(token)); err != nil {
		return "", wordsError(setting, path, fmt.Errorf("holds no token, which signal-server token prints: %w", err))
	}
	return token, nil
}

// maxWords bounds a file with a token or a secret, in bytes: either one is a line.
const maxWords = 4 << 10

// readWords returns the one line that the file holds, without the end that editors and echo give it. The error names the setting and the
// file, and quotes nothing of what the file holds.
func readWords(setting, path string) (string, error) {
	file, err := os.Open(path) // #nosec G304 -- who runs the command names it
	if err != nil {
		return "", wordsError(setting, path, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxWords+1))
	words := bytes.TrimRight(content, "\r\n")
	switch {
	case err != nil:
	case len(content) > maxWords:
		err = fmt.Errorf("has more than %d bytes", maxWords)
	case len(bytes.TrimSpace(words)) == 0:
		err = errors.New("is empty")
	case bytes.ContainsAny(words, "\r\n"):
		err = errors.New("has more than one line")
	default:
		return string(words), nil
	}
	return "", wordsError(setting, path, err)
}

// wordsError returns err with the setting and the path, which is there once.
func wordsError(setting, path string, err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Errorf("%s %s: %w", setting, path, err)
}
