package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"signal-server/cache"
)

// hashOf returns the token as a tokens file has it.
func hashOf(token string) string {
	digest := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(digest[:])
}

func TestTokensFile(t *testing.T) {
	const plain = "a-token-that-is-not-to-be-seen-anywhere"
	long := strings.Repeat("n", maxName)
	tests := []struct {
		name string
		text string
		want map[string]Grant // by token, if nothing is wrong
		errs []string         // one for each line of the error
	}{
		{"one", hashOf("a"), map[string]Grant{"a": {}}, nil},
		{"capitals", strings.ToUpper(hashOf("a"))[:7] + hashOf("a")[7:], nil, []string{"t:1: does not begin with sha256:"}},
		{"capital digits", hashPrefix + strings.ToUpper(hashOf("a")[7:]), map[string]Grant{"a": {}}, nil},
		{
			"words, comments, blank lines and other line breaks",
			"# who may\r\n\r\n  " + hashOf("a") + "\talice  # since May\r\n#" + hashOf("x") + "\n" + hashOf("b") + " key=k role=answer bob\n",
			map[string]Grant{"a": {Name: "alice"}, "b": {Name: "bob", Key: "k", Role: cache.Answer}},
			nil,
		},
		{"role alone", hashOf("a") + " role=offer", map[string]Grant{"a": {Role: cache.Offer}}, nil},
		{
			"longest name and key", hashOf("a") + " " + long + " key=" + strings.Repeat("鍵", cache.MaxKeyLength),
			map[string]Grant{"a": {Name: long, Key: cache.Key(strings.Repeat("鍵", cache.MaxKeyLength))}},
			nil,
		},
		{"name too long", hashOf("a") + " n" + long, nil, []string{"t:1: word 2 must be"}},
		{"key too long", hashOf("a") + " key=" + strings.Repeat("k", cache.MaxKeyLength+1), nil, []string{"t:1: key= must"}},
		{"no key", hashOf("a") + " key=", nil, []string{"t:1: key= must"}},
		{"no such role", hashOf("a") + " role=Offer", nil, []string{"t:1: role= must"}},
		{"two names", hashOf("a") + " alice bob", nil, []string{"t:1: word 3 must be"}},
		{"two keys", hashOf("a") + " key=k key=l", nil, []string{"t:1: word 3 must be"}},
		{"two roles", hashOf("a") + " role=offer role=offer", nil, []string{"t:1: word 3 must be"}},
		{"another binding", hashOf("a") + " path=/", nil, []string{"t:1: word 2 must be"}},
		{"twice", hashOf("a") + "\n\n" + hashOf("a") + " bob", nil, []string{"t:3: has the hash of line 1 again"}},
		{"a token in the place of a hash", plain, nil, []string{"t:1: does not begin with sha256:"}},
		{"a token said to be a hash", hashPrefix + plain, nil, []string{"t:1: does not begin with sha256:"}},
		{"a digit too few", hashOf("a")[:70], nil, []string{"t:1: does not begin with sha256:"}},
		{"a digit too many", hashOf("a") + "00", nil, []string{"t:1: does not begin with sha256:"}},
		{"its token in a comment", hashOf(plain) + "\n# bob has \"" + plain + "\".\n", nil, []string{"t:2: has the token of line 1 in plain"}},
		{
			"its token beside it", hashOf("a") + "\n" + hashOf("plain.with=other+letters") + " # plain.with=other+letters", nil,
			[]string{"t:2: has the token of line 2 in plain"},
		},
		{"its token as a name", hashOf("sixteen-and-more") + " sixteen-and-more", nil, []string{"t:1: has the token of line 1 in plain"}},
		{
			"all at once", plain + "\n" + hashOf("a") + " role=x\n" + hashOf("b") + "\n" + plain, nil,
			[]string{"t:1: does not", "t:2: role= must", "t:4: does not"},
		},
		{"nothing", "", nil, []string{"t: lists no token"}},
		{"only comments", "# " + hashOf("a") + "\n", nil, []string{"t: lists no token"}},
		{"twenty mistakes", strings.Repeat("x\n", maxMistakes), nil, strings.Split(strings.Repeat("does not,", maxMistakes-1)+"t:20: does not", ",")},
		{"one more", strings.Repeat("x\n", maxMistakes+1), nil, strings.Split(strings.Repeat("does not,", maxMistakes)+"t: 1 more lines", ",")},
	}
	for _, tt := range tests {
		got, err := parseTokens("t", []byte(tt.text))
		var lines []string
		if err != nil {
			lines = strings.Split(err.Error(), "\n")
		}
		if len(lines) != len(tt.errs) {
			t.Errorf("%s: got %q, want %d lines", tt.name, lines, len(tt.errs))
			continue
		}
		for i := range lines {
			if !strings.HasPrefix(lines[i], "tokens file t:") || !strings.Contains(lines[i], tt.errs[i]) || strings.Contains(lines[i], plain) {
				t.Errorf("%s: got %q, want one with %q and no token", tt.name, lines[i], tt.errs[i])
			}
		}
		if err != nil {
			continue
		}
		for token, want := range tt.want {
			digest := sha256.Sum256([]byte(token))
			if grant, ok := got.find(&digest); !ok || grant != want {
				t.Errorf("%s: token %q: got %+v, %v; want %+v", tt.name, token, grant, ok, want)
			}
		}
		if count := len(got); count != len(tt.want) {
			t.Errorf("%s: got %d tokens, want %d", tt.name, count, len(tt.want))
		}
	}
}

// Digests whose first 8 bytes agree stand in one place of the map, and are still told apart.
func TestTokensThatAgree(t *testing.T) {
	one := hashPrefix + strings.Repeat("11", 32)
	other := one[:len(one)-1] + "2"
	got, err := parseTokens("t", []byte(one+" one\n"+other+" other"))
	if err != nil {
		t.Fatal(err)
	}
	var digest [32]byte
	for want, line := range map[string]string{"one": one, "other": other} {
		hex.Decode(digest[:], []byte(line[7:]))
		if grant, ok := got.find(&digest); !ok || grant.Name != want {
			t.Errorf("got %q, %v; want %q", grant.Name, ok, want)
		}
	}
	if digest[31] = 3; true {
		if grant, ok := got.find(&digest); ok {
			t.Errorf("got %q for a digest that agrees in 31 bytes, want none", grant.Name)
		}
	}
}

func TestMint(t *testing.T) {
	seen := make(map[string]bool)
	for _, want := range []Grant{{}, {}, {Name: "a.l_i-c@e9"}, {Key: "k#=鍵"}, {Role: cache.Offer}, {Name: "bob", Key: "k", Role: cache.Answer}} {
		token, line, err := Mint(want)
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		if random, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(random) != 32 {
			t.Errorf("got a token of %d bytes, %v; want 32 in base64url", len(random), err)
		}
		if seen[token] || strings.Contains(line, token) {
			t.Errorf("got the line %q, or a token again; want a new one, and only its hash", line)
		}
		seen[token] = true
		g := guard(t, Config{TokensFile: write(t, "tokens", []byte("# tokens\n"+line+"\n"))})
		admits(t, g, line, []byte(token), want)
		refuses(t, g, "its line", []byte(line))
		refuses(t, g, "its hash", []byte(line[:len(hashPrefix)+64]))
	}
}

func TestMintRefuses(t *testing.T) {
	for name, grant := range map[string]Grant{
		"name with a space":  {Name: "alice b"},
		"name as a binding":  {Name: "role=offer"},
		"name too long":      {Name: strings.Repeat("n", maxName+1)},
		"name and a line":    {Name: "a\n" + hashOf("b")},
		"name as a comment":  {Name: "#a"},
		"key with a space":   {Key: "a key"},
		"key in spaces":      {Key: " k "},
		"key and a line":     {Key: cache.Key("k\n" + hashOf("b"))},
		"key too long":       {Key: cache.Key(strings.Repeat("k", cache.MaxKeyLength+1))},
		"no role of the two": {Role: 3},
	} {
		if token, line, err := Mint(grant); err == nil || token != "" || line != "" {
			t.Errorf("%s: got %q, want an error", name, line)
		}
	}
}

func TestTokensFileIsBounded(t *testing.T) {
	line := hashOf("a") + "\n"
	fill := func(size int) []byte { return []byte(line + strings.Repeat("#", size-len(line))) }
	admits(t, guard(t, Config{TokensFile: write(t, "tokens", fill(maxFile))}), "a full file", []byte("a"), Grant{})
	path := write(t, "tokens", fill(maxFile+1))
	want := fmt.Sprintf("tokens file %s: has more than 1MiB", path)
	if _, err := readTokens(path); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
