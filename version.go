package main

import (
	"cmp"
	"runtime/debug"
)

// release is the version that a release was built as: go build -ldflags '-X main.release=v1.2.3'.
var release string

// version returns the release, or else what the build knows: a tag, or a commit with its time.
func version() string {
	built := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		built = cmp.Or(info.Main.Version, built)
	}
	return cmp.Or(release, built)
}
