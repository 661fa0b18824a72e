package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/units"

	"signal-server/app/flag"
	"signal-server/cache"
	"signal-server/cache/memory"
	"signal-server/cache/redis"
)

// inMemory is the Store of sessions in this process.
const inMemory = "memory"

// maxStoreFile bounds the file of a store's URL, in bytes: a cluster's hosts fit many times.
const maxStoreFile = 64 << 10

// readStore reads the store's URL from its file, if there is one.
func (s *settings) readStore(wrong *flag.Mistakes, names flag.Names) {
	if s.StoreFile == "" {
		return
	}
	if s.Store != inMemory {
		wrong.Wrong(names, &s.StoreFile, "is of no use beside %v: one of them says where sessions are kept", &s.Store)
		return
	}
	text, err := readLine(s.StoreFile)
	switch {
	case err != nil:
		wrong.Add(named("--store-file", err))
	case text == "":
		wrong.Wrong(names, &s.StoreFile, "is %q, which is empty, must hold what %v would say", s.StoreFile, &s.Store)
	default:
		s.Store = text
	}
}

// readLine returns what a file holds, without the line break at its end, which editors and echo append.
func readLine(path string) (string, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return "", err // it names the path
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxStoreFile+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxStoreFile {
		return "", fmt.Errorf("%s: has more than %v", path, units.Base2Bytes(maxStoreFile))
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

// checkStore collects what is wrong with where sessions are kept.
func (s *settings) checkStore(wrong *flag.Mistakes, names flag.Names) {
	switch {
	case s.Store == inMemory:
	case strings.HasPrefix(s.Store, "redis") && strings.Contains(s.Store, "://"):
		wrong.Add(named("--store", redis.Check(s.Store, s.Limits)))
	default:
		wrong.Wrong(names, &s.Store, "is %q, must be memory or the URL of a Redis", kindOf(s.Store))
	}
}

// kindOf is --store for people to read: the scheme. The rest may hold a password, even where a typo makes it no URL.
func kindOf(store string) string {
	kind, _, _ := strings.Cut(store, ":")
	if strings.ContainsAny(kind, "@/") {
		return "…"
	}
	return kind
}

// openStore opens the store, which the caller closes.
func (s *settings) openStore(ctx context.Context) (cache.Store, error) {
	if s.Store == inMemory {
		config := s.Memory
		config.Limits = s.Limits
		return memory.New(config)
	}
	store, err := redis.Open(ctx, s.Store, s.Limits)
	if err != nil {
		return nil, named("--store", err)
	}
	return store, nil
}
