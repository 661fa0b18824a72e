package ticket

import (
	"slices"
	"testing"

	"signal-server/app/apptest/testconfig"
	"signal-server/cache"
)

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		config Config
		want   []string
	}{
		"none":              {Config{}, nil},
		"a random secret":   {Config{RoleTickets: true}, nil},
		"secrets of a file": {Config{RoleTickets: true, SecretFile: "f"}, nil},
		"a file for none":   {Config{SecretFile: "f"}, []string{"--role-tickets-secret-file is for --role-tickets"}},
	} {
		if got := testconfig.Mistakes(&tt.config); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestOpenWithoutAFile(t *testing.T) {
	if i, err := Open(Config{}); i != nil || err != nil {
		t.Errorf("no tickets: got %v, %v, want nil, nil", i, err)
	}
	i, err := Open(Config{RoleTickets: true})
	if err != nil {
		t.Fatalf("a random secret: got %v, want an issuer", err)
	}
	i.wantCheck(t, "of a random secret", i.Append(nil, "k", cache.Offer, epoch), "k", cache.Offer, epoch)
}
