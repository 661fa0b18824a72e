package bridge

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"signal-server/client"
)

// Bounds of what the local program may post.
const (
	maxBody     = 256 << 10        // bytes: a server's default bound of one request
	readTimeout = 10 * time.Second // of one whole request from this machine
)

// newLocalServer returns the HTTP server to which the local program posts. It puts what the program writes into the outbox and
// answers at once: the program may post from inside its own handler, while a delivery to it is under way. listen is the address that the
// bridge was told to listen on, host:port.
func newLocalServer(out *outbox, listen string, log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("/sdp", takeInto(out, client.SDP, log))
	mux.Handle("/candidate", takeInto(out, client.Candidate, log))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, log, http.StatusNotFound, "no such path: the bridge takes POST /sdp and POST /candidate")
	})
	return &http.Server{
		Handler:        refusePages(mux, listen, log),
		ReadTimeout:    readTimeout,
		WriteTimeout:   readTimeout,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// refusePages refuses what a page has a browser ask: the page would publish an sdp of its own in the program's name. A browser tells the page's
// origin, or how it asks (Fetch Metadata Request Headers); and where the page's name was made to stand for this machine (DNS rebinding), it asks
// by that name.
func refusePages(next http.Handler, listen string, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		switch {
		case r.Header.Get("Origin") != "" || site != "" && site != "none" && site != "same-origin":
			refuse(w, log, http.StatusForbidden, "a web page asks: the bridge takes posts of a program on this machine only")
		case !isOwnHost(r, listen):
			refuse(w, log, http.StatusForbidden,
				"the Host is neither localhost, nor an address of loopback, nor the address that the bridge listens on: post to one of these")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isOwnHost reports whether the request was sent to localhost, to an address of loopback, to the host that the bridge was told to listen on, or to
// the address that its connection came to.
func isOwnHost(r *http.Request, listen string) bool {
	host := hostOf(r.Host)
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, hostOf(listen)) && host != "" {
		return true
	}
	ip := net.ParseIP(host)
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ip != nil && (ip.IsLoopback() || local != nil && ip.Equal(local.IP))
}

// hostOf returns the host of host[:port], without the brackets of an address of IPv6.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
}

// takeInto returns the handler that puts each body into the outbox as it is, whatever its Content-Type.
func takeInto(out *outbox, k client.Kind, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, log, http.StatusMethodNotAllowed, "post it: /"+string(k)+" takes POST only")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLong *http.MaxBytesError
		switch {
		case errors.As(err, &tooLong):
			refuse(w, log, http.StatusRequestEntityTooLarge, "the body is too long: 256 KiB are taken")
		case err != nil:
			refuse(w, log, http.StatusBadRequest, "the body did not arrive whole")
		case strings.TrimSpace(string(body)) == "":
			refuse(w, log, http.StatusBadRequest, "the body is empty: it has to be the "+string(k))
		case !utf8.Valid(body):
			refuse(w, log, http.StatusBadRequest, "the body is not UTF-8 text")
		default:
			if err := out.put(client.Message{Kind: k, Data: string(body)}); err != nil {
				refuse(w, log, http.StatusServiceUnavailable, err.Error())
				return
			}
			log.Debug("took a message of the local program", "type", k)
			w.WriteHeader(http.StatusOK)
		}
	})
}

// refuse answers with the reason, and logs it, because programs seldom look at the status.
func refuse(w http.ResponseWriter, log *slog.Logger, status int, why string) {
	log.Warn("refused a request of the local program", "status", status, "why", why)
	http.Error(w, why, status)
}
