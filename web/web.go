// Package web is the demo page: the files of a static site, embedded. It knows neither HTTP nor how it is served, but expects
// to find the browser client as client/signal.js beside the page, and its own files under web/.
//
//	index.html ─▶ app.js ─┬─▶ invitation.js   key, role and mode, in the URL's fragment   no DOM
//	                      ├─▶ call.js         one RTCPeerConnection, by client/signal.js  no DOM
//	                      ├─▶ advice.js       what went wrong, and what to do             no DOM
//	                      └─▶ traffic.js, progress.js, qr.js                              DOM only
package web

import "embed"

// Files holds index.html and all that it loads but the browser client.
//
//go:embed index.html style.css icon.svg *.js vendor/qrcode.js
var Files embed.FS
