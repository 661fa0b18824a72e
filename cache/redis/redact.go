package redis

import (
	"regexp"
	"strings"

	"signal-server/cache"
)

// masked replaces a password.
const masked = "xxxxx"

var passwordParameter = regexp.MustCompile(`([?&](?:sentinel_)?password=)[^&#]*`)

// Redact returns the URL with its passwords masked, for people to read.
func Redact(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return masked // it is no URL, so any part of it may be a password
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 { // the last one anywhere, because a password may hold one that is not escaped
		if user, _, ok := strings.Cut(rest[:at], ":"); ok {
			rest = user + ":" + masked + rest[at:]
		}
	}
	return scheme + "://" + passwordParameter.ReplaceAllString(rest, "${1}"+masked)
}

// Check returns what is wrong with the URL and the limits, as far as that can be told without reaching the servers. The files
// that the URL names are read.
func Check(url string, limits cache.Limits) error {
	_, err := parseURL(url)
	if err != nil {
		return err
	}
	return validate(limits)
}
