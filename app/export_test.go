package app

import (
	"net"
	"net/http"

	"signal-server/app/watch/metrics"
)

// Route is one entry of the routing table.
type Route struct{ Method, Path string }

// Routes returns the routing table.
func (s *Server) Routes() (routes []Route) {
	for _, r := range s.fiber.GetRoutes() {
		routes = append(routes, Route{r.Method, r.Path})
	}
	return routes
}

// ServeConn serves the requests of one connection, not under patrol, until it ends.
func (s *Server) ServeConn(c net.Conn) error { return s.fiber.Server().ServeConn(c) }

// AdminHandler serves what the admin listener does.
func (s *Server) AdminHandler() http.Handler { return s.admin.Handler }

// Metrics returns the server's own metrics.
func (s *Server) Metrics() (all []*metrics.Metric) {
	for _, source := range s.sources() {
		all = append(all, source.Metrics()...)
	}
	return all
}
