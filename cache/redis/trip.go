package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"signal-server/cache"
	"signal-server/custerrors"
)

// ask is do, uncounted.
func (s *Store) ask(sc *script, r request) (rueidis.RedisMessage, error) {
	if s.inFlight.Add(1) > s.maxInFlight {
		s.inFlight.Add(-1)
		return rueidis.RedisMessage{}, errCrowded
	}
	answer, err := s.send(sc, &r)
	if sc.changes && mayRun(err) {
		<-r.moment.ctx.Done() // so that it does not run after the caller was told that it is not done
	}
	s.inFlight.Add(-1)
	if err != nil {
		return answer, s.unavailable(err)
	}
	if !answer.IsInt64() {
		return answer, nil
	}
	code, err := answer.ToInt64()
	if err == nil && code >= epochs {
		return answer, nil
	}
	if err != nil || code < 0 || code >= int64(len(refusals)) {
		return answer, errDamaged
	}
	if refusals[code] == custerrors.CacheOverrunMaxCost {
		s.health.Store(&errFull)
	}
	return answer, refusals[code]
}

// errFull is what Ready says after a refusal for want of memory, until the next look finds room.
var errFull error = custerrors.CacheOverrunMaxCost

// errCrowded refuses a call at once when too many wait already, so that no crowd waits for servers that do not answer.
var errCrowded = fmt.Errorf("%w: too many calls wait for an answer of redis", custerrors.StoreIsUnavailable)

// errLate says that the server did not come to it in time, and has done nothing.
var errLate = fmt.Errorf("%w: redis: refused, because its time was over", custerrors.StoreIsUnavailable)

// errFew says that a write is done, but may be lost if its server is.
var errFew = fmt.Errorf("%w: redis: written, but too few replicas have it", custerrors.StoreIsUnavailable)

// attempts is how often a request is sent: once as a rule. The server may lack the script, its slot may be on the move, and its clock may
// be another one than we thought. None of these can be so more than once, but for a slot that arrives at yet another server just now.
const attempts = 5

// send makes a round trip, or more if the server says that it has not done it and why.
func (s *Store) send(sc *script, r *request) (answer rueidis.RedisMessage, err error) {
	for range attempts {
		if s.replicas > 0 && sc.changes {
			answer, err = s.tripReplicated(sc, r)
		} else {
			answer, err = s.client.Do(r.moment.ctx, s.command(sc, r)).ToMessage()
		}
		if told, late := lateness(answer, err); late && sc.changes {
			err = errLate
			if !s.correct(r, told) {
				return answer, err
			}
			continue
		}
		switch e, _ := rueidis.IsRedisErr(err); {
		case e != nil && e.IsNoScript() && !r.whole:
			r.whole = true
		case e != nil && e.IsTryAgain() && !r.alone:
			r.alone = true
		case r.alone && err == nil:
			return s.bury(sc, r, answer)
		default:
			return answer, err
		}
	}
	return answer, err
}

// lateness returns the server's time if that is what it answers: see late.lua.
func lateness(answer rueidis.RedisMessage, err error) (told int64, late bool) {
	if err != nil || !answer.IsInt64() {
		return 0, false
	}
	code, err := answer.ToInt64()
	return -code, err == nil && code < 0
}

// mayRun reports whether the server may still run what has failed so: the request was sent, and the way back broke.
func mayRun(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, rueidis.ErrNoSlot) {
		return false
	}
	var refused custerrors.Error // also of this node: see errLate, errFew
	if _, answered := rueidis.IsRedisErr(err); answered || errors.As(err, &refused) {
		return false
	}
	var e *net.OpError
	return !errors.As(err, &e) || e.Op != "dial"
}

// bury does for the tombstone what a script would have done that names it, too. The keys are on two servers, so that it is another step. If
// it fails, the session is remembered for less than cache.Grace.
func (s *Store) bury(sc *script, r *request, answer rueidis.RedisMessage) (rueidis.RedisMessage, error) {
	code := int64(-1)
	if answer.IsInt64() {
		code, _ = answer.ToInt64()
	}
	switch {
	case code == codeNotFound:
		n, err := s.client.Do(r.moment.ctx, s.client.B().Exists().Key(r.grave).Build()).ToInt64()
		if err == nil && n > 0 {
			return answer, custerrors.KeyIsExpired
		}
		return answer, err
	case code == codeOverrun: // nothing was opened
		return answer, nil
	}
	left := cache.Grace
	if sc != scriptEnd {
		left += s.limits.TTL + time.Second
	}
	s.client.Do(r.moment.ctx, s.client.B().Set().Key(r.grave).Value("").Px(left).Build())
	return answer, nil
}

// command builds the request's command, once for each attempt.
func (s *Store) command(sc *script, r *request) rueidis.Completed {
	args := r.args[:r.count]
	switch b := s.client.B(); {
	case r.whole && r.alone:
		return b.Eval().Script(sc.text).Numkeys(1).Key(r.session).Arg(args...).Build()
	case r.whole:
		return b.Eval().Script(sc.text).Numkeys(2).Key(r.session, r.grave).Arg(args...).Build()
	case r.alone:
		return b.Evalsha().Sha1(sc.sha).Numkeys(1).Key(r.session).Arg(args...).Build()
	default:
		return b.Evalsha().Sha1(sc.sha).Numkeys(2).Key(r.session, r.grave).Arg(args...).Build()
	}
}

// tripReplicated makes a round trip, and waits until the replicas have what was written. WAIT is about the writes of its own connection, and holds up
// what comes behind it, so each call takes a connection of its own from a pool. It is redirected here, so that WAIT asks the server that
// wrote.
func (s *Store) tripReplicated(sc *script, r *request) (answer rueidis.RedisMessage, err error) {
	server, asking := s.client, false
	for range attempts {
		answer, err = s.sendAndWait(server, asking, sc, r)
		e, ok := rueidis.IsRedisErr(err)
		if !ok {
			return answer, err
		}
		address, moved := e.IsMoved()
		if moved {
			s.routes.moved(r.session, address)
		} else if address, asking = e.IsAsk(); !asking {
			return answer, err
		}
		node := s.client.Nodes()[address]
		if node == nil {
			return answer, err
		}
		server, asking = node, !moved
	}
	return answer, err
}

// sendAndWait sends the request to that server. A write that too few replicas have is an error. A take that they do not have is done all
// the same, and nobody gets its payload if its taker does not.
func (s *Store) sendAndWait(server rueidis.Client, asking bool, sc *script, r *request) (answer rueidis.RedisMessage, err error) {
	wait := s.client.B().Wait().Numreplicas(s.replicas).Timeout((s.timeout - s.patience()).Milliseconds()).Build()
	cmds := rueidis.Commands{s.command(sc, r), wait}
	if asking {
		cmds = append(rueidis.Commands{s.client.B().Asking().Build()}, cmds...)
	}
	ctx := r.moment.ctx
	doneErr := server.Dedicated(func(c rueidis.DedicatedClient) error {
		results := c.DoMulti(ctx, cmds...)
		results = results[len(results)-2:]
		if answer, err = results[0].ToMessage(); err != nil {
			return err
		}
		if code, intErr := answer.ToInt64(); intErr == nil && code != 0 && code < epochs {
			return nil // refused: nothing was written that a client relies on
		}
		n, waitErr := results[1].ToInt64()
		if waitErr == nil && n < s.replicas {
			waitErr = fmt.Errorf("%w: %d of %d", errFew, n, s.replicas)
		}
		if sc == scriptTake {
			return nil
		}
		return waitErr
	})
	return answer, doneErr
}

// passing are the first words of errors by which a server says that it cannot serve now, or does not serve us. Time or its operator
// changes that. Any other error of a server is a mistake in this program.
var passing = []string{
	"ASK", "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM", "NOREPLICAS", "READONLY",
	"TRYAGAIN", "UNBLOCKED", "WRONGPASS",
}

// unavailable maps an error of a server, or of the way to it, to one of custerrors.
func (s *Store) unavailable(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(custerrors.Error); ok || errors.Is(err, custerrors.StoreIsUnavailable) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: redis: no answer within %v", custerrors.StoreIsUnavailable, s.timeout)
	}
	if e, ok := rueidis.IsRedisErr(err); ok {
		text := strings.TrimPrefix(e.Error(), "ERR ")
		if strings.HasPrefix(text, "OOM ") {
			s.health.Store(&errFull)
			return errFull
		}
		for _, word := range passing {
			if strings.HasPrefix(text, word+" ") {
				return fmt.Errorf("%w: redis: %w", custerrors.StoreIsUnavailable, err)
			}
		}
		if strings.Contains(text, "ACL failure") || strings.Contains(text, "max number of clients") {
			return fmt.Errorf("%w: redis: %w", custerrors.StoreIsUnavailable, err)
		}
		return fmt.Errorf("redis: %w", err)
	}
	return fmt.Errorf("%w: redis: %w", custerrors.StoreIsUnavailable, err)
}
