package accesslog_test

import (
	"math"
	"slices"
	"testing"

	"signal-server/app/apptest/testconfig"
	"signal-server/app/watch/accesslog"
)

func TestShare(t *testing.T) {
	for text, want := range map[string]accesslog.Share{"off": 0, "1": 1, "0.01": 0.01, "0.5": 0.5, "1e-06": 1e-6} {
		got := accesslog.Share(0.7)
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1.1", "-0.1", "50%", "NaN", "Inf", "OFF", "on"} {
		got := accesslog.Share(0.7)
		if err := got.UnmarshalText([]byte(text)); err == nil || err.Error() != "a share such as 0.01, or 1, or off" || got != 0.7 {
			t.Errorf("%q: got %v, %v, want an error that says what it must be, and the share as before", text, got, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		share accesslog.Share
		want  []string
	}{
		{0, nil},
		{0.5, nil},
		{1, nil},
		{1.1, []string{"--access-log is 1.1, must be 0 to 1"}},
		{-1, []string{"--access-log is -1, must be 0 to 1"}},
		{accesslog.Share(math.NaN()), []string{"--access-log is NaN, must be 0 to 1"}},
	} {
		if got := testconfig.Mistakes(&accesslog.Config{Share: tt.share}); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.share, got, tt.want)
		}
	}
}
