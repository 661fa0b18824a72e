package app

import "runtime/debug"

// version is set by the linker where a release is built (-X signal-server/app.version=v1.0.0); empty: what Go knows of the build.
var version string

// ownVersion returns what --version prints.
func ownVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
