package limit

import (
	"slices"
	"testing"
	"time"

	"signal-server/app/apptest/testconfig"
)

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		config Config
		want   []string
	}{
		"nothing":          {Config{}, nil},
		"all of it":        {Config{TrustedProxies: []string{"private"}, WrongKeys: Rate{1, time.Hour}, Block: 1, Waits: 1}, nil},
		"a block of never": {Config{Block: -1}, nil}, // nobody is blocked
		"all at once": {Config{TrustedProxies: []string{"x", "unix", "y"}, WrongKeys: Rate{1, time.Hour}, Waits: -1}, []string{
			`--trusted-proxies has ["x" "y"], must be addresses, networks such as 10.0.0.0/8, loopback, private or unix`,
			"--max-client-waits is -1, must be 0 or more",
			"--block-for is 0s, must be more than 0",
		}},
	} {
		if got := testconfig.Mistakes(&tt.config); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
