package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/units"

	"signal-server/app/gate/limit"
	"signal-server/app/iceserver"
)

// Config is what a Server is told. Only On makes one of it.
type Config struct {
	On bool `name:"turn" help:"Run a STUN and TURN server in this process."`

	// Listen and TLSListen are host:port. Without a host: all addresses of this machine, each by a socket of its own.
	Listen    []string `name:"turn-listen" default:":3478" help:"Its addresses, UDP and TCP."`
	TLSListen []string `name:"turn-tls-listen" placeholder:"ADDRESS" help:"Its addresses over TLS, such as :5349."`

	// Addresses are those at which peers reach relays: one of IPv4, one of IPv6, or both. None: the server finds them out.
	Addresses []string `name:"turn-address" placeholder:"IP" help:"Addresses that peers reach relays at; none: found out."`

	// Host stands in URIs in place of the address. URIs stand in place of all.
	Host string   `name:"turn-host" placeholder:"NAME" help:"Its name in URIs; none: that of ACME, or the address."`
	URIs []string `name:"turn-uris" placeholder:"URI" help:"Its URIs, where clients reach it by others."`

	Ports      Ports  `name:"turn-ports" default:"49152-65535" help:"UDP ports of relays, open to the outside."` // RFC 8656, Section 7.2
	SecretFile string `name:"turn-secret-file" secret:"" placeholder:"FILE" help:"Secret that signs credentials, for many nodes; none: random."`
	Realm      string `name:"turn-realm" default:"signal-server" help:"Its realm."`

	UserAllocations   int `name:"turn-user-allocations" default:"64" help:"Relays at once of one user."`
	ClientAllocations int `name:"turn-client-allocations" default:"256" help:"Relays at once of one address."`
	Allocations       int `name:"turn-allocations" default:"2000" help:"Relays at once; a quarter for one /48 of IPv6."`

	Rate      ByteRate `name:"turn-rate" default:"1MiB/s" help:"Bytes of one relay and direction; off: any."`
	TotalRate ByteRate `name:"turn-total-rate" default:"100MiB/s" help:"Bytes of all relays; off: any."`

	// Unauthenticated bounds answers over UDP to an IPv4 /24, or an IPv6 /56, that has not shown who it is: nobody is flooded by way of this server.
	Unauthenticated limit.Rate `name:"turn-unauthenticated-rate" default:"50/s" help:"STUN answers and refusals to one network."`

	// Lifetime is how long a relay may be kept after its credential's end.
	Lifetime time.Duration `name:"turn-lifetime" default:"12h" help:"How long a call may go on after its credential's end."`

	AllowPeers []string `name:"turn-allow-peers" placeholder:"CIDR" help:"Peers beside public ones: networks, private, loopback."`
	DenyPeers  []string `name:"turn-deny-peers" placeholder:"CIDR" help:"Peers that are refused, whatever else is said."`
}

// Validate calls wrong with a pointer to each field that cannot be used, and says why. It looks up nothing.
func (c *Config) Validate(wrong func(field any, format string, args ...any)) {
	if !c.On {
		c.validateOff(wrong)
		return
	}
	if len(c.Listen) == 0 && len(c.TLSListen) == 0 {
		wrong(&c.Listen, "is empty, and %v too", &c.TLSListen)
	}
	for _, list := range []*[]string{&c.Listen, &c.TLSListen} {
		for _, text := range *list {
			if _, _, err := splitHostPort(text); err != nil {
				wrong(list, "has %q, %v", text, err)
			}
		}
	}
	if _, err := parseAddresses(c.Addresses); err != nil {
		wrong(&c.Addresses, "%v", err)
	}
	if c.Host != "" && !isHost(c.Host) {
		wrong(&c.Host, "is %q, must be a name such as turn.example.org, or an address", c.Host)
	}
	for _, text := range c.URIs {
		if _, ok := iceserver.ParseURI(text); !ok {
			wrong(&c.URIs, "has %q, must be like turn:host:3478?transport=udp", text)
		}
	}
	if c.Realm == "" || len(c.Realm) > 127 || strings.ContainsAny(c.Realm, "\"\\\r\n\x00") { // RFC 8489, Section 14.9
		wrong(&c.Realm, "is %q, must have 1 to 127 characters, without quotes", c.Realm)
	}
	c.validateBounds(wrong)
}

func (c *Config) validateBounds(wrong func(field any, format string, args ...any)) {
	for _, n := range []*int{&c.UserAllocations, &c.ClientAllocations, &c.Allocations} {
		if *n < 1 {
			wrong(n, "is %d, must be 1 or more", *n)
		}
	}
	for _, rate := range []*ByteRate{&c.Rate, &c.TotalRate} {
		if *rate != 0 && *rate < minRate {
			wrong(rate, "is %v, must be %v or more, or off", *rate, ByteRate(minRate))
		}
	}
	if c.Lifetime < 0 {
		wrong(&c.Lifetime, "is %v, must be 0 or more", c.Lifetime)
	}
	for _, list := range []*[]string{&c.AllowPeers, &c.DenyPeers} {
		if _, err := limit.ParseNetworks(*list); err != nil {
			wrong(list, "%v", err)
		}
	}
}

// validateOff tells of settings that do nothing.
func (c *Config) validateOff(wrong func(field any, format string, args ...any)) {
	for _, list := range []*[]string{&c.TLSListen, &c.Addresses, &c.URIs, &c.AllowPeers, &c.DenyPeers} {
		if len(*list) > 0 {
			wrong(list, "is of no use without %v", &c.On)
		}
	}
	for _, text := range []*string{&c.Host, &c.SecretFile} {
		if *text != "" {
			wrong(text, "is of no use without %v", &c.On)
		}
	}
}

// splitHostPort reads host:port, where host is an address or empty.
func splitHostPort(text string) (host netip.Addr, port uint16, err error) {
	h, p, err := net.SplitHostPort(text)
	n, wrong := strconv.ParseUint(p, 10, 16)
	if err == nil && h != "" {
		host, err = netip.ParseAddr(h)
	}
	if err != nil || wrong != nil || host.Zone() != "" {
		return netip.Addr{}, 0, errors.New("must be :port or address:port")
	}
	return host.Unmap(), uint16(n), nil
}

// addresses are one of each family; a zero one: there is none.
type addresses struct{ v4, v6 netip.Addr }

func (a addresses) of(v6 bool) netip.Addr {
	if v6 {
		return a.v6
	}
	return a.v4
}

func (a *addresses) set(addr netip.Addr) {
	if addr.Is4() {
		a.v4 = addr
	} else {
		a.v6 = addr
	}
}

// parseAddresses reads one address of a family at the most.
func parseAddresses(list []string) (all addresses, err error) {
	for _, text := range list {
		addr, err := netip.ParseAddr(text)
		addr = addr.Unmap()
		switch {
		case err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast():
			return addresses{}, fmt.Errorf("has %q, must be an address such as 192.0.2.1", text)
		case all.of(addr.Is6()).IsValid():
			return addresses{}, fmt.Errorf("has two addresses of one family, %v and %v: must be one of IPv4, one of IPv6, or both", all.of(addr.Is6()), addr)
		}
		all.set(addr)
	}
	return all, nil
}

// isHost reports whether the text is a name or an address as it stands in a URI.
func isHost(text string) bool {
	_, ok := iceserver.ParseURI("stun:" + net.JoinHostPort(text, "1"))
	return ok && !slices.Contains([]string{"", "."}, text)
}

// Ports are a range of UDP ports, both ends included.
type Ports struct{ First, Last uint16 }

const (
	minPort  = 1024 // those below are the system's services
	minPorts = 100  // a handful of calls
)

// String returns the range as UnmarshalText reads it.
func (p Ports) String() string { return fmt.Sprintf("%d-%d", p.First, p.Last) }

// UnmarshalText reads a range such as 49152-65535. The error says what the text must be. After an error the range is unchanged.
func (p *Ports) UnmarshalText(text []byte) error {
	first, last, _ := strings.Cut(string(text), "-")
	a, err := strconv.ParseUint(first, 10, 16)
	b, wrong := strconv.ParseUint(last, 10, 16)
	if err != nil || wrong != nil || a < minPort || b < a+minPorts-1 {
		return fmt.Errorf("a range of %d ports or more from %d on, such as 49152-65535", minPorts, minPort)
	}
	*p = Ports{uint16(a), uint16(b)}
	return nil
}

func (p Ports) has(port uint16) bool { return port >= p.First && port <= p.Last }

func (p Ports) count() int { return int(p.Last) - int(p.First) + 1 }

// ByteRate is bytes a second; 0: any number.
type ByteRate int64

const minRate = 4 << 10 // two packets of the largest size

// String returns the rate as UnmarshalText reads it.
func (r ByteRate) String() string {
	if r == 0 {
		return "off"
	}
	return units.Base2Bytes(r).String() + "/s"
}

// UnmarshalText reads a rate such as 1MiB/s, or off. The error says what the text must be. After an error the rate is unchanged.
func (r *ByteRate) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*r = 0
		return nil
	}
	size, isRate := strings.CutSuffix(string(text), "/s")
	n, err := units.ParseBase2Bytes(size)
	if err != nil || !isRate || n < 1 {
		return errors.New("a rate such as 1MiB/s, or off")
	}
	*r = ByteRate(n)
	return nil
}
