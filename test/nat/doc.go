// Package nat holds tests of relays with real programs: the server as it is built, coturn, Pion, Chromium, and networks that share nothing but the
// server. They need root for those networks, which are the kernel's network namespaces and end with the test.
package nat
