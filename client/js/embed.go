// Package js holds the browser client, so that the server can serve it to its own pages. It is a file here, and no Go.
package js

import _ "embed"

// Signal is signal.js, an ES module. Nobody writes to it.
//
//go:embed signal.js
var Signal []byte
