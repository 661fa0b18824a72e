package ticket

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signal-server/app/secrets"
	"signal-server/cache"
)

const epoch = 0x0123456789ab

// file returns the text of a file with n different secrets.
func file(n int) string {
	var lines []string
	for i := range n {
		lines = append(lines, strings.Repeat(string(rune('a'+i)), MinSecret))
	}
	return strings.Join(lines, "\n") + "\n"
}

func write(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func issuer(t testing.TB, text string) *Issuer {
	t.Helper()
	i, err := Open(Config{RoleTickets: true, SecretFile: write(t, text)})
	if err != nil {
		t.Fatalf("Open: got %v, want an issuer", err)
	}
	return i
}

func (i *Issuer) wantCheck(t testing.TB, what string, ticket []byte, key cache.Key, role cache.Role, want uint64) {
	t.Helper()
	if got, ok := i.Check(ticket, key, role); got != want || ok != (want != 0) {
		t.Errorf("%s: got epoch %x, %v, want %x", what, got, ok, want)
	}
}

func TestTicketsAreGoodForTheirs(t *testing.T) {
	i := New()
	keys := []cache.Key{"k", "K", "kk", " k", "k\x00", "\x01k", "é", cache.Key(strings.Repeat("🔑", cache.MaxKeyLength))}
	epochs := []uint64{1, 2, 1 << 8, epoch, 1<<48 - 1}
	for _, key := range keys {
		for _, role := range cache.Roles {
			for _, e := range epochs {
				ticket := i.Append(nil, key, role, e)
				if len(ticket) != Length {
					t.Errorf("%q: got %d characters, want %d", ticket, len(ticket), Length)
				}
				if bytes.ContainsFunc(ticket, func(r rune) bool {
					return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
				}) {
					t.Errorf("got %q, want what is safe in a URL and a header", ticket)
				}
				for _, other := range keys {
					want := uint64(0)
					if other == key {
						want = e
					}
					i.wantCheck(t, "of "+string(key)+" for "+string(other), ticket, other, role, want)
				}
				i.wantCheck(t, "of the other role", ticket, key, role.Other(), 0)
				i.wantCheck(t, "of no role", ticket, key, 0, 0)
				New().wantCheck(t, "of another process", ticket, key, role, 0)
			}
		}
	}
	if got := string(i.Append([]byte("before "), "k", cache.Offer, epoch)); !strings.HasPrefix(got, "before ") || len(got) != 7+Length {
		t.Errorf("Append: got %q, want it behind what was there", got)
	}
}

// TestEveryChangeIsSeen changes each character of a ticket to each other one, and makes the ticket shorter and longer.
func TestEveryChangeIsSeen(t *testing.T) {
	i := New()
	good := i.Append(nil, "k", cache.Offer, epoch)
	for at := range good {
		for c := range 256 {
			changed := bytes.Clone(good)
			changed[at] = byte(c)
			want := uint64(0)
			if bytes.Equal(changed, good) {
				want = epoch
			}
			i.wantCheck(t, "changed to "+string(changed), changed, "k", cache.Offer, want)
		}
	}
	for n := range good {
		i.wantCheck(t, "cut", good[:n], "k", cache.Offer, 0)
		i.wantCheck(t, "cut at its beginning", good[n+1:], "k", cache.Offer, 0)
	}
	for _, more := range []string{"A", "=", "==", "\n", " ", "\x00", strings.Repeat("A", 1000)} {
		i.wantCheck(t, "longer", append(bytes.Clone(good), more...), "k", cache.Offer, 0)
		i.wantCheck(t, "longer at its beginning", append([]byte(more), good...), "k", cache.Offer, 0)
	}
	i.wantCheck(t, "of no session", i.Append(nil, "k", cache.Offer, 0), "k", cache.Offer, 0)
}

// TestForm compares with a ticket that other code made, so that old and new nodes of a fleet agree during an upgrade: openssl dgst -sha256
// -hmac, with a secret of 32 a, over the bytes 02 0123456789ab and "a key".
func TestForm(t *testing.T) {
	i := issuer(t, file(1))
	const want = "ASNFZ4mrhwSp6ydTSF4alKlTaS93iw"
	if got := string(i.Append(nil, "a key", cache.Answer, epoch)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSecretsAreReplaced does what an operator does, on one node after the other.
func TestSecretsAreReplaced(t *testing.T) {
	const old, young = "an old secret of 32 bytes or more", "a young secret of 32 bytes or more"
	path := write(t, old)
	first, err := Open(Config{RoleTickets: true, SecretFile: path})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(Config{RoleTickets: true, SecretFile: path})
	if err != nil {
		t.Fatal(err)
	}
	before := first.Append(nil, "k", cache.Offer, epoch)
	second.wantCheck(t, "another node", before, "k", cache.Offer, epoch)
	for _, text := range []string{old + "\n" + young, young + "\r\n" + old + "\r\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, i := range []*Issuer{first, second} {
			if err := i.Reload(); err != nil {
				t.Fatalf("Reload: got %v, want no error", err)
			}
			for _, issued := range []*Issuer{first, second} {
				ticket := issued.Append(nil, "k", cache.Offer, epoch)
				first.wantCheck(t, "in the middle", ticket, "k", cache.Offer, epoch)
				second.wantCheck(t, "in the middle", ticket, "k", cache.Offer, epoch)
			}
		}
	}
	first.wantCheck(t, "of the old secret", before, "k", cache.Offer, epoch)
	if err := os.WriteFile(path, []byte(young), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := first.Reload(); err != nil {
		t.Fatal(err)
	}
	first.wantCheck(t, "of a secret that is gone", before, "k", cache.Offer, 0)

	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := first.Reload(); err == nil {
		t.Error("Reload of a file with a mistake: got no error, want one")
	}
	first.wantCheck(t, "after a Reload that failed", first.Append(nil, "k", cache.Offer, epoch), "k", cache.Offer, epoch)
	if err := New().Reload(); err != nil {
		t.Errorf("Reload without a file: got %v, want nothing to happen", err)
	}
}

// TestFilesThatAreWrong checks that an error names the file, once, and quotes nothing of it. What is wrong with its lines package secrets tests.
func TestFilesThatAreWrong(t *testing.T) {
	path := write(t, file(1)+"hunter2")
	if _, err := Open(Config{RoleTickets: true, SecretFile: path}); err == nil ||
		!strings.HasPrefix(err.Error(), path+": line 2 has 7 bytes") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a short one: got %v, want the file and the line, and nothing of the secret", err)
	}
	if _, err := Open(Config{RoleTickets: true, SecretFile: "/nowhere/secrets"}); err == nil || strings.Count(err.Error(), "/nowhere/secrets") != 1 {
		t.Errorf("no file: got %v, want the path", err)
	}
}

func TestTicketsDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector empties pools")
	}
	i := issuer(t, file(secrets.Max))
	var b [Length]byte
	ticket := i.Append(nil, "a key of the usual sort", cache.Answer, epoch)
	forged := bytes.Repeat([]byte("A"), Length)
	forged[0] = 'B'
	for name, run := range map[string]func(){
		"Append":           func() { i.Append(b[:0], "a key of the usual sort", cache.Answer, epoch) },
		"Check":            func() { i.Check(ticket, "a key of the usual sort", cache.Answer) },
		"Check, forged":    func() { i.Check(forged, "a key of the usual sort", cache.Answer) },
		"Check, malformed": func() { i.Check(forged[1:], "a key of the usual sort", cache.Answer) },
	} {
		if got, want := testing.AllocsPerRun(1000, run), 0.0; got != want {
			t.Errorf("%s: allocations: got %v, want %v", name, got, want)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	i := issuer(b, file(1))
	ticket := i.Append(nil, "a key of the usual sort", cache.Answer, epoch)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := i.Check(ticket, "a key of the usual sort", cache.Answer); !ok {
			b.Fatal("got a good ticket refused")
		}
	}
}

// FuzzCheck shows any bytes. Only what Append wrote is good.
func FuzzCheck(f *testing.F) {
	i, err := Open(Config{RoleTickets: true, SecretFile: write(f, file(2))})
	if err != nil {
		f.Fatal(err)
	}
	good := i.Append(nil, "k", cache.Offer, epoch)
	for _, text := range []string{
		"", string(good), string(good[1:]), string(good) + "=", strings.Repeat("A", Length), strings.Repeat("_", Length), strings.Repeat("\n", Length),
	} {
		f.Add([]byte(text), "k")
	}
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		for _, role := range cache.Roles {
			e, ok := i.Check(text, cache.Key(key), role)
			if !ok && e != 0 {
				t.Errorf("%q: got epoch %x of a ticket that is not good, want 0", text, e)
			}
			if ok && !bytes.Equal(i.Append(nil, cache.Key(key), role, e), text) {
				t.Errorf("%q: got it taken, want what Append writes", text)
			}
		}
	})
}
