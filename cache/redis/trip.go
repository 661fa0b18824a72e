package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"signal-server/custerrors"
)

// ask is do, uncounted.
func (s *Store) ask(sc *script, r request) (rueidis.RedisMessage, error) {
	if s.inFlight.Add(1) > s.maxInFlight {
		s.inFlight.Add(-1)
		return rueidis.RedisMessage{}, errCrowded
	}
	ctx := s.deadlines.context()
	var answer rueidis.RedisMessage
	var err error
	if s.replicas == 0 || sc == scriptRead || sc == scriptTouch {
		answer, err = s.send(ctx, sc, &r)
	} else {
		answer, err = s.sendReplicated(ctx, sc, &r)
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

// send makes one round trip, or two if the server has not seen the script yet.
func (s *Store) send(ctx context.Context, sc *script, r *request) (rueidis.RedisMessage, error) {
	answer, err := s.client.Do(ctx, s.evalsha(sc, r)).ToMessage()
	if isNoScript(err) {
		return s.client.Do(ctx, s.eval(sc, r)).ToMessage()
	}
	return answer, err
}

func (s *Store) evalsha(sc *script, r *request) rueidis.Completed {
	return s.client.B().Evalsha().Sha1(sc.sha).Numkeys(2).Key(r.session, r.grave).Arg(r.args[:r.count]...).Build()
}

func (s *Store) eval(sc *script, r *request) rueidis.Completed {
	return s.client.B().Eval().Script(sc.text).Numkeys(2).Key(r.session, r.grave).Arg(r.args[:r.count]...).Build()
}

// sendReplicated is send, and waits until the replicas have what was written. WAIT is about the writes of its own connection, and
// holds up what comes behind it, so each call takes a connection of its own from a pool. A server that has moved the slot says so,
// and the caller tries again. Nothing is redirected: WAIT might then ask another server than the one that wrote.
func (s *Store) sendReplicated(ctx context.Context, sc *script, r *request) (answer rueidis.RedisMessage, err error) {
	cmd := s.evalsha(sc, r)
	for range 2 {
		answer, err = s.sendAndWait(ctx, cmd)
		if !isNoScript(err) {
			break
		}
		cmd = s.eval(sc, r)
	}
	return answer, err
}

func (s *Store) sendAndWait(ctx context.Context, cmd rueidis.Completed) (answer rueidis.RedisMessage, err error) {
	doneErr := s.client.Dedicated(func(c rueidis.DedicatedClient) error {
		patience := s.timeout * 3 / 4 // so that its answer comes before the deadline
		wait := s.client.B().Wait().Numreplicas(s.replicas).Timeout(patience.Milliseconds()).Build()
		results := c.DoMulti(ctx, cmd, wait)
		if answer, err = results[0].ToMessage(); err != nil {
			return err
		}
		if code, intErr := answer.ToInt64(); intErr == nil && code != 0 && code < epochs {
			return nil // refused: nothing was written that a client relies on
		}
		n, waitErr := results[1].ToInt64()
		if waitErr == nil && n < s.replicas {
			waitErr = fmt.Errorf("written, but only %d of %d replicas have it", n, s.replicas)
		}
		return waitErr
	})
	return answer, doneErr
}

func isNoScript(err error) bool {
	e, ok := rueidis.IsRedisErr(err)
	return ok && e.IsNoScript()
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
	if _, ok := err.(custerrors.Error); ok {
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
