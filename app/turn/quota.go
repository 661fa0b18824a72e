package turn

import (
	"net/netip"
	"sync"
)

// quotas counts relays by whoever has them. Each is taken in one step: two that come together do not pass as the last one.
type quotas struct {
	// set at construction
	ofUser, ofClient, ofSite, ofAll int

	mu sync.Mutex
	// guarded by mu
	users   map[string]int
	clients map[netip.Prefix]int // by address, those of IPv6 by /64
	sites   map[netip.Prefix]int // by the /48 of an address of IPv6
	all     int
}

// sitePart is which part of all relays the clients of one /48 may have, which is what a site is given (RFC 6177): one in so many.
const sitePart = 4

func newQuotas(c *Config) *quotas {
	return &quotas{
		ofUser: c.UserAllocations, ofClient: c.ClientAllocations, ofSite: max(c.Allocations/sitePart, 1), ofAll: c.Allocations,
		users: make(map[string]int), clients: make(map[netip.Prefix]int), sites: make(map[netip.Prefix]int),
	}
}

// share is what a relay counts for.
type share struct {
	user         string
	client, site netip.Prefix // the site of IPv4 is the zero Prefix
}

func shareOf(user string, client netip.Addr) share {
	s := share{user: user}
	if client = client.Unmap(); client.Is4() {
		s.client = netip.PrefixFrom(client, client.BitLen())
		return s
	}
	client = client.WithZone("")
	s.client, _ = client.Prefix(64)
	s.site, _ = client.Prefix(48)
	return s
}

// take counts a relay, if all quotas have room for it.
func (q *quotas) take(s share) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all >= q.ofAll || q.users[s.user] >= q.ofUser || q.clients[s.client] >= q.ofClient || s.site.IsValid() && q.sites[s.site] >= q.ofSite {
		return false
	}
	q.all++
	q.users[s.user]++
	q.clients[s.client]++
	if s.site.IsValid() {
		q.sites[s.site]++
	}
	return true
}

// give gives back what take has taken.
func (q *quotas) give(s share) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all--
	less(q.users, s.user)
	less(q.clients, s.client)
	if s.site.IsValid() {
		less(q.sites, s.site)
	}
}

func less[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// count returns how many relays there are.
func (q *quotas) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all
}
