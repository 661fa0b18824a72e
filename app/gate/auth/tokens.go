package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"signal-server/cache"
)

const (
	// tokenBytes is how many random bytes a minted token has: as many as its hash.
	tokenBytes = 32
	// maxName bounds a token's name, in characters. A minted token has 43, so nobody can mistake one for a name.
	maxName = 32
	// minUnhashed is how long a word of the file must be before findUnhashed tries it as a token.
	minUnhashed = 16
	// maxMistakes bounds how many lines of one file an error names: in a file of another kind every line is a mistake.
	maxMistakes = 20

	hashPrefix = "sha256:"
	keyPrefix  = "key="
	rolePrefix = "role="
)

// tokens are the listed tokens' digests, by their first 8 bytes.
type tokens map[uint64][]listed

type listed struct {
	digest [sha256.Size]byte
	grant  Grant
	line   int // in the file, from 1
}

// find returns the grant of the token that has this digest. Guard.Check says what its timing tells.
//
// hot: called for every request.
func (t tokens) find(digest *[sha256.Size]byte) (Grant, bool) {
	candidates := t[prefixOf(digest)]
	for i := range candidates {
		if subtle.ConstantTimeCompare(candidates[i].digest[:], digest[:]) == 1 {
			return candidates[i].grant, true
		}
	}
	return Grant{}, false
}

func (t tokens) lineOf(digest *[sha256.Size]byte) int {
	for _, l := range t[prefixOf(digest)] {
		if l.digest == *digest {
			return l.line
		}
	}
	return 0
}

func prefixOf(digest *[sha256.Size]byte) uint64 { return binary.LittleEndian.Uint64(digest[:8]) }

// Mint makes a new random token, 256 bits in base64url, and its line for the tokens file:
//
//	sha256:<64 hex digits> [name] [key=K] [role=offer|answer]
//
// Blank lines are skipped, and so is what follows a # at the beginning of a word. Mint keeps the token nowhere. A hash as fast as
// SHA-256 protects a token only because tokens are random: it would not protect a password, which can be found by trying.
//
// The token is good for the grant. The error says that a tokens file cannot hold the grant: a name has 1 to 32 of the letters,
// digits, ".", "_", "@" and "-"; a key has no white space.
func Mint(grant Grant) (token, line string, err error) {
	random := make([]byte, tokenBytes)
	rand.Read(random) // it does not fail
	token = base64.RawURLEncoding.EncodeToString(random)
	line = lineOf(sha256.Sum256([]byte(token)), grant)
	if read, err := parseToken(strings.Fields(line)); err != nil {
		return "", "", err
	} else if read.grant != grant {
		return "", "", errors.New("name or key cannot stand in a tokens file: they must have no white space")
	}
	return token, line, nil
}

func lineOf(digest [sha256.Size]byte, grant Grant) string {
	line := hashPrefix + hex.EncodeToString(digest[:])
	if grant.Name != "" {
		line += " " + grant.Name
	}
	if grant.Key != "" {
		line += " " + keyPrefix + string(grant.Key)
	}
	if grant.Role != 0 {
		line += " " + rolePrefix + grant.Role.String()
	}
	return line
}

func readTokens(path string) (tokens, error) {
	text, err := readFile(tokensFile, path)
	if err != nil {
		return nil, err
	}
	return parseTokens(path, text)
}

// parseTokens reads a tokens file. The error has a line for each mistake, with its place. It repeats nothing of the file, since the
// mistake may be a token itself.
func parseTokens(path string, text []byte) (tokens, error) {
	t := make(tokens)
	m := mistakes{path: path}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		fields := strings.Fields(string(line))
		for i, field := range fields {
			if field[0] == '#' {
				fields = fields[:i]
				break
			}
		}
		if len(fields) == 0 {
			continue
		}
		l, err := parseToken(fields)
		if err != nil {
			m.add(n, err)
			continue
		}
		if first := t.lineOf(&l.digest); first != 0 {
			m.add(n, fmt.Errorf("has the hash of line %d again", first))
			continue
		}
		l.line = n
		t[prefixOf(&l.digest)] = append(t[prefixOf(&l.digest)], l)
	}
	t.findUnhashed(text, &m)
	if len(t) == 0 && m.count == 0 {
		m.errs = append(m.errs, fmt.Errorf("%s %s: lists no token: nobody could use the server", tokensFile, path))
	}
	return t, m.join()
}

// findUnhashed looks for listed tokens that stand in the file themselves, in a comment for example. Whoever could read the file would
// have them.
func (t tokens) findUnhashed(text []byte, m *mistakes) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		words := append(bytes.Fields(line), bytes.FieldsFunc(line, neverInMinted)...)
		for _, word := range words {
			if len(word) < minUnhashed {
				continue
			}
			digest := sha256.Sum256(word)
			if first := t.lineOf(&digest); first != 0 {
				m.add(n, fmt.Errorf("has the token of line %d in plain: make a new one in its place", first))
				break
			}
		}
	}
}

// neverInMinted reports whether the character is not one of base64url.
func neverInMinted(r rune) bool { return !alphanumeric(r) && r != '-' && r != '_' }

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// parseToken reads the words of one line.
func parseToken(fields []string) (listed, error) {
	var l listed
	digits, ok := strings.CutPrefix(fields[0], hashPrefix)
	digest, err := hex.DecodeString(digits)
	if !ok || err != nil || len(digest) != sha256.Size {
		return l, errors.New("does not begin with sha256: and 64 hex digits; a token itself must not be kept here, only its hash")
	}
	copy(l.digest[:], digest)
	for i, field := range fields[1:] {
		key, isKey := strings.CutPrefix(field, keyPrefix)
		role, isRole := strings.CutPrefix(field, rolePrefix)
		switch {
		case isKey && l.grant.Key == "":
			if l.grant.Key, err = cache.ParseKey(key); err != nil {
				return l, fmt.Errorf("key= must be followed by 1 to %d characters", cache.MaxKeyLength)
			}
		case isRole && l.grant.Role == 0:
			if l.grant.Role, ok = parseRole(role); !ok {
				return l, errors.New("role= must be followed by offer or answer")
			}
		case isName(field) && l.grant.Name == "":
			l.grant.Name = field
		default:
			return l, fmt.Errorf("word %d must be a name (1 to %d of letters, digits, . _ @ -), key=… or role=…, each once", i+2, maxName)
		}
	}
	return l, nil
}

func isName(s string) bool {
	return s != "" && len(s) <= maxName &&
		!strings.ContainsFunc(s, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("._@-", r) })
}

// mistakes collects what is wrong with a tokens file, line by line.
type mistakes struct {
	path  string
	errs  []error
	count int
}

func (m *mistakes) add(line int, err error) {
	if m.count++; m.count <= maxMistakes {
		m.errs = append(m.errs, fmt.Errorf("%s %s:%d: %w", tokensFile, m.path, line, err))
	}
}

func (m *mistakes) join() error {
	if more := m.count - maxMistakes; more > 0 {
		m.errs = append(m.errs, fmt.Errorf("%s %s: %d more lines are wrong", tokensFile, m.path, more))
	}
	return errors.Join(m.errs...)
}
