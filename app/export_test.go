package app

import "net"

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
