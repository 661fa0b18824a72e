package limit

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"off": {}, "1/s": {1, time.Second}, "60/m": {60, time.Minute}, "100/h": {100, time.Hour}, "2147483647/s": {1<<31 - 1, time.Second},
	} {
		got := Rate{7, time.Hour}
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %+v, written %v, %v, want %+v", text, got, got, err, want)
		}
	}
	for _, text := range []string{"", "0/s", "-1/s", "1", "1/", "/s", "1/d", "1/s/m", "1.5/s", "1 / s", "2147483648/s", "OFF", "1e3/s"} {
		before := Rate{7, time.Hour}
		got := before
		if err := got.UnmarshalText([]byte(text)); err == nil || err.Error() != "a rate such as 50/s, 60/m or 100/h, or off" || got != before {
			t.Errorf("%q: got %v, %v, want an error that says what it must be, and the rate as before", text, got, err)
		}
	}
	for want, rate := range map[string]Rate{"100/2s": {100, 2 * time.Second}, "off": {100, 0}} {
		if got := rate.String(); got != want {
			t.Errorf("%d in %v: got %s, want %s", rate.Events, rate.Per, got, want)
		}
	}
}

// FuzzRate reads any text. A rate that was read can be written, and read again as the same rate.
func FuzzRate(f *testing.F) {
	for _, text := range []string{"off", "50/s", "60/m", "1/h", "0/s", "/", "9999999999/s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r, again Rate
		if err := r.UnmarshalText([]byte(text)); err != nil {
			return
		}
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
			t.Errorf("%q: got %v, which is read as %v %v", text, r, again, err)
		}
	})
}
