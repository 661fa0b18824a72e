package limit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is so many events in a time: a client may have all of them at once, and gets them back evenly. So {100, 2 * time.Second}
// is 50 a second with bursts of 100. Without events, or without a time, there is no limit.
type Rate struct {
	Events int
	Per    time.Duration
}

// ratePeriods are the times of rates that are written, by their name.
var ratePeriods = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// String returns the rate as UnmarshalText reads it: 50/s, or off. One in another time, which no text says, is like 100/2s.
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

// UnmarshalText reads a rate such as 50/s, 60/m or 100/h, or off. The error says what the text must be; the rate is as before then.
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

// meter is a Rate as it is reckoned with: the generic cell rate algorithm (ITU-T I.371, Annex A), which needs one number for each
// client and counts in whole nanoseconds, so that what is due is due exactly.
type meter struct {
	interval time.Duration // in which one event comes back; 0: there is no limit
	window   time.Duration // in which all do
}

// bucket is when all of a client's events will be back, since the Limiter was made; the zero bucket is full. It may be further away
// than the window: what the client has taken beyond the limit.
type bucket time.Duration

func (r Rate) meter() meter {
	if r.Events <= 0 || r.Per <= 0 {
		return meter{}
	}
	interval := max(r.Per/time.Duration(r.Events), 1)
	return meter{interval, interval * time.Duration(r.Events)}
}

func (m meter) on() bool { return m.interval > 0 }

// due returns in how long the bucket has an event; 0 or less: it has one now.
func (m meter) due(b bucket, now time.Duration) time.Duration {
	return max(time.Duration(b)-now, 0) + m.interval - m.window
}

// take takes an event, whether there is one or not.
func (m meter) take(b *bucket, now time.Duration) {
	*b = bucket(max(time.Duration(*b), now) + m.interval)
}

// debt returns how much of the window is taken, and more than that if events were taken that were not there.
func (m meter) debt(b bucket, now time.Duration) time.Duration { return max(time.Duration(b)-now, 0) }
