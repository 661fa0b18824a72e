package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"signal-server/cache"
	"signal-server/custerrors"
)

const (
	oldest     = 7 // the first version that has sharded pub/sub
	watchEvery = time.Second
)

// check returns why the servers are not fit for a store.
func (s *Store) check(ctx context.Context) error {
	if err := s.routes.refresh(ctx); err != nil {
		return err
	}
	var errs []error
	for address, node := range s.routes.masters() {
		err := s.checkServer(ctx, node)
		if err == nil {
			err = s.askTime(ctx, address, node)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", address, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.rehearse()
}

func (s *Store) checkServer(ctx context.Context, node rueidis.Client) error {
	if node == nil {
		return errors.New("the cluster names it, but it is not there")
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	info, err := node.Do(ctx, node.B().Info().Section("server", "memory").Build()).ToString()
	if err != nil {
		return err
	}
	version := field(info, "redis_version")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		return fmt.Errorf("it is version %q, must be Redis %d, Valkey 7.2, or later: it needs sharded pub/sub", version, oldest)
	}
	if policy := field(info, "maxmemory_policy"); policy != "noeviction" {
		return fmt.Errorf("its maxmemory-policy is %q, must be noeviction: it would forget sessions that live", policy)
	}
	return nil
}

// askTime learns the server's clock, so that no first call has to.
func (s *Store) askTime(ctx context.Context, address string, node rueidis.Client) error {
	answer, err := node.Do(ctx, node.B().Time().Build()).AsIntSlice()
	if err != nil {
		return err
	}
	if len(answer) == 2 {
		s.routes.clockOf(address).learn(answer[0]*1000+answer[1]/1000, s.deadlines.now().Milliseconds()+1, false)
	}
	return nil
}

// field returns a value of INFO's answer.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// rehearse does once all that a store does, with a session of its own. So it finds out now whether this user may do it. A server that is
// full is fit all the same.
func (s *Store) rehearse() error {
	ctx := context.Background()
	key := cache.Key("rehearsal " + strconv.FormatUint(cache.NewEpoch(), 36))
	var offer, candidate cache.Batch
	offer.Add(cache.Frame{Kind: cache.SDP, Size: 1, Wire: []byte("x")})
	candidate.Add(cache.Frame{Kind: cache.Candidate, Size: 1, Wire: []byte("x")})
	bell := cache.NewChime()
	steps := []struct {
		name string
		do   func() error
	}{
		{"subscribe", func() error { return s.Hang(ctx, key, cache.Offer, bell) }},
		{"open a session", func() error {
			_, _, err := s.Write(ctx, nil, cache.Write{Key: key, From: cache.Offer, Opens: true, TTL: time.Second, Token: "token", Batch: &offer})
			return err
		}},
		{"write", func() error {
			_, _, err := s.Write(ctx, nil, cache.Write{Key: key, From: cache.Answer, Batch: &candidate})
			return err
		}},
		{"take", func() error {
			_, err := s.Take(ctx, nil, cache.Take{Key: key, To: cache.Answer, Kind: cache.SDP, Limit: 1, Form: &cache.Form{}})
			return err
		}},
		{"read", func() error {
			_, _, err := s.Read(ctx, nil, key, cache.Answer, 0, 1, &cache.Form{})
			return err
		}},
		{"renew", func() error {
			_, err := s.Touch(ctx, key)
			return err
		}},
		{"end a session", func() error { return s.End(ctx, key) }},
	}
	defer s.Unhang(key, cache.Offer, bell)
	for _, step := range steps {
		err := step.do()
		if errors.Is(err, custerrors.CacheOverrunMaxCost) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot %s: %w", step.name, err)
		}
	}
	return nil
}

// watch keeps what Ready says up to date, until Close.
func (s *Store) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.look()
		case <-s.stopping:
			return
		}
	}
}

// look asks all servers how they are. The store is ready while one of them takes new sessions. If the failover of one server made the
// store unready, a load balancer would take away all nodes at once, although the cluster's other servers serve.
func (s *Store) look() {
	ctx := s.deadlines.context()
	err := s.routes.refresh(ctx)
	for _, node := range s.routes.masters() {
		if err = s.room(ctx, node); err == nil {
			s.health.Store(nil)
			return
		}
	}
	if err != nil {
		err = s.unavailable(err)
		s.health.Store(&err)
	}
}

// room returns why the server takes no new session.
func (s *Store) room(ctx context.Context, node rueidis.Client) error {
	if node == nil {
		return errors.New("a server of the cluster is not there")
	}
	info, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		return err
	}
	used, _ := strconv.ParseInt(field(info, "used_memory"), 10, 64)
	limit, _ := strconv.ParseInt(field(info, "maxmemory"), 10, 64)
	if limit > 0 && used >= limit {
		return custerrors.CacheOverrunMaxCost
	}
	return nil
}
