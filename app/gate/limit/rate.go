package limit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of events in a time. A client may have all of them at once, and gets them back evenly: {100, 2 * time.Second} is
// 50 a second with bursts of 100. Without events, or without a time, there is no limit.
type Rate struct {
	Events int
	Per    time.Duration
}

// ratePeriods are the times that a text can name.
var ratePeriods = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// String returns the rate as UnmarshalText reads it: 50/s, or off. A rate in a time that no text can name is like 100/2s.
func (r Rate) String() string {
	if r.Events <= 0 || r.Per <= 0 {
		return "off"
	}
	for name, per := range ratePeriods {
		if r.Per == per {
			return fmt.Sprintf("%d/%s", r.Events, name)
		}
	}
	return fmt.Sprintf("%d/%v", r.Events, r.Per)
}

// UnmarshalText reads a rate such as 50/s, 60/m or 100/h, or off. The error says what the text must be. After an error the rate is
// unchanged.
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*r = Rate{}
		return nil
	}
	number, period, _ := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > math.MaxInt32 || ratePeriods[period] == 0 {
		return errors.New("a rate such as 50/s, 60/m or 100/h, or off")
	}
	*r = Rate{n, ratePeriods[period]}
	return nil
}

// meter is a Rate in the form that the generic cell rate algorithm needs (ITU-T I.371, Annex A). The algorithm keeps one number for
// each client and counts in whole nanoseconds, so that it is exact when an event is due.
type meter struct {
	interval time.Duration // in which one event comes back; 0: there is no limit
	window   time.Duration // in which all of them come back
}

// bucket is when all of a client's events will be back, counted from when the Limiter was made. The zero bucket is full. If that time is
// further away than the window, the client has taken more than the limit.
type bucket time.Duration

func (r Rate) meter() meter {
	if r.Events <= 0 || r.Per <= 0 {
		return meter{}
	}
	interval := max(r.Per/time.Duration(r.Events), 1)
	return meter{interval, interval * time.Duration(r.Events)}
}

func (m meter) on() bool { return m.interval > 0 }

// times returns a meter of n times as many events in the same time.
func (m meter) times(n int) meter {
	return meter{interval: max(m.interval/time.Duration(n), min(m.interval, 1)), window: m.window}
}

// due returns the time until the bucket has an event; 0 or less: it has one now.
func (m meter) due(b bucket, now time.Duration) time.Duration {
	return max(time.Duration(b)-now, 0) + m.interval - m.window
}

// take takes an event, whether or not there is one.
func (m meter) take(b *bucket, now time.Duration) { m.takeMany(b, 1, now) }

// takeMany takes n events. Where n is less than zero, it gives them back, as far as they are missing.
func (m meter) takeMany(b *bucket, n int, now time.Duration) {
	*b = bucket(max(max(time.Duration(*b), now)+time.Duration(n)*m.interval, now))
}

// takeOfMany takes n events of a bucket that many clients share. What it lacks is bounded: when they stop, it is soon as it was.
func (m meter) takeOfMany(b *bucket, n int, now time.Duration) {
	m.takeMany(b, n, now)
	*b = min(*b, bucket(now+2*m.window))
}

// leaveOne takes all events of the bucket but one. It reports whether there were more.
func (m meter) leaveOne(b *bucket, now time.Duration) bool {
	least := bucket(now + m.window - m.interval)
	if *b >= least {
		return false
	}
	*b = least
	return true
}

// debt returns how much of the window is taken. It is more than the window if events were taken that were not there.
func (m meter) debt(b bucket, now time.Duration) time.Duration { return max(time.Duration(b)-now, 0) }
