// Package js holds the browser client, so that the server can serve it to its own pages. The client is JavaScript, in src; npm packs
// it into one file, which is committed, because building the server needs Go alone.
package js

import _ "embed"

// Signal is dist/signal.js: the packed ES module. Nobody writes to it.
//
//go:embed dist/signal.js
var Signal []byte

// SourceMap is dist/signal.js.map: JSON by which a debugger shows src in place of the packed module. Nobody writes to it.
//
//go:embed dist/signal.js.map
var SourceMap []byte
