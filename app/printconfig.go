package app

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/alecthomas/kong"

	"signal-server/app/flag"
	"signal-server/cache/redis"
)

// printConfig writes what each flag of the command is set to, as the lines of an environment file that would set it so again,
// but for secrets, which are masked.
func printConfig(w io.Writer, flags []*kong.Flag) error {
	for _, f := range flags {
		if len(f.Envs) == 0 || f.Name == "help" {
			continue
		}
		value := flag.Format(f)
		switch {
		case f.Name == "store" && value != inMemory:
			value = redis.Redact(value)
		case f.Name == "auth-jwks-url":
			value = redactKeys(value)
		}
		if _, err := fmt.Fprintf(w, "%s=%s\n", f.Envs[0], quoted(value)); err != nil {
			return err
		}
	}
	return nil
}

// redactKeys returns the URL of a key set for people to read: its query may be somebody's secret.
func redactKeys(text string) string {
	const masked = "xxxxx"
	u, err := url.Parse(text)
	if err != nil {
		return masked // what it is, nobody knows
	}
	if u.RawQuery != "" {
		u.RawQuery = masked
	}
	return u.Redacted()
}

// quoted returns the value as a shell and systemd read it (systemd.exec(5), EnvironmentFile).
func quoted(value string) string {
	special := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-./:,@%+=", r)
	}
	if !strings.ContainsFunc(value, special) {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value) + `"`
}
