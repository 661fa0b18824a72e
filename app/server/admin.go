package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/watch/metrics"
	"signal-server/custerrors"
)

// The admin listener is for few, and often for a network that is trusted: what it takes is bounded all the same.
const (
	adminConnections = 64               // at once; further ones wait in the system's queue
	adminHeader      = 8 << 10          // bytes
	adminReply       = 30 * time.Second // for an answer to be taken; profiles have that beside the time they are asked for
	maxProfile       = 5 * time.Minute  // of a CPU profile, or a trace
)

// newAdmin returns the server of the admin listener. It is net/http's, because what operators plug in there is.
func (s *Server) newAdmin() *http.Server {
	return &http.Server{
		Handler:           s.adminHandler(),
		ReadHeaderTimeout: s.bounds.ReadTimeout,
		ReadTimeout:       s.bounds.ReadTimeout,
		WriteTimeout:      adminReply,
		IdleTimeout:       s.bounds.IdleTimeout,
		MaxHeaderBytes:    adminHeader,
		ErrorLog:          slog.NewLogLogger(s.watch.Log().Handler(), slog.LevelDebug),
	}
}

func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeEnvelope(w, "") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		writeEnvelope(w, s.readiness(r.Context()))
	})
	mux.Handle("GET /metrics", metrics.Handler(s.watch.Log(), s.Sources()...))
	profileRoutes(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { writeEnvelope(w, custerrors.RouteNotFound) })
	return s.refusePages(mux)
}

// refusePages refuses what a page has an operator's browser ask: the admin listener is for programs, and for what the operator types. A
// page of another site tells its origin, or the browser tells that there is one. A page whose name was made to stand for this machine (DNS
// rebinding) is told by Host, where the connection is one on loopback; elsewhere programs may call this machine by any name.
func (s *Server) refusePages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		if r.Header.Get("Origin") != "" || site != "" && site != "none" && site != "same-origin" ||
			r.Host != "" && !s.gate.OwnHost(r.Host) && onLoopback(r) { // no browser leaves Host out, but HAProxy's checks do
			writeEnvelope(w, custerrors.NotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onLoopback reports whether the request came over a connection on loopback.
func onLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// profileRoutes serves the profiles of net/http/pprof, which extend WriteTimeout by the time that they are asked for. Not its command line:
// --store may hold a password.
func profileRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", boundProfile(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/profile", boundProfile(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", boundProfile(pprof.Trace))
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/cmdline", func(w http.ResponseWriter, _ *http.Request) {
		writeEnvelope(w, custerrors.RouteNotFound)
	})
}

// boundProfile refuses profiles that would run for longer than maxProfile.
func boundProfile(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if text := r.URL.Query().Get("seconds"); text != "" {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil || !(seconds >= 0 && seconds <= maxProfile.Seconds()) {
				http.Error(w, fmt.Sprintf("seconds must be 0 to %v", maxProfile.Seconds()), http.StatusBadRequest)
				return
			}
		}
		handler(w, r)
	}
}

// writeEnvelope answers in the envelope.
func writeEnvelope(w http.ResponseWriter, msg custerrors.Error) {
	w.Header().Set("Content-Type", fiber.MIMEApplicationJSON)
	w.WriteHeader(msg.Status())
	fmt.Fprintf(w, `{"msg":"%s","data":null}`, msg) // when it fails, nobody is there to tell
}
