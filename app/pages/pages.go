// Package pages holds the demo page: the embedded files of a static site. It does not know how they are served, nor HTTP. The page
// expects the browser client at client/signal.js beside it, and its own files under web/.
//
//	index.html ─▶ app.js ─┬─▶ invitation.js   key, role and mode, in the URL's fragment   no DOM
//	                      ├─▶ call.js         one RTCPeerConnection, by client/signal.js  no DOM
//	                      ├─▶ advice.js       what went wrong, and what to do             no DOM
//	                      └─▶ traffic.js, progress.js, qr.js                              DOM only
package pages

import (
	"embed"
	"io/fs"
)

//go:embed demo/index.html demo/style.css demo/icon.svg demo/*.js demo/vendor/qrcode.js
var embedded embed.FS

// Files holds index.html and everything that it loads except the browser client.
var Files = demo()

func demo() fs.FS {
	files, err := fs.Sub(embedded, "demo")
	if err != nil {
		panic("BUG: the demo page is not embedded: " + err.Error())
	}
	return files
}
