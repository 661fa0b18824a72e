package secrets

import (
	"bytes"
	"strings"
	"testing"
)

// file returns the text of a file with n different secrets.
func file(n int) string {
	var lines []string
	for i := range n {
		lines = append(lines, strings.Repeat(string(rune('a'+i)), Min))
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestParse(t *testing.T) {
	long := strings.Repeat("x", Min)
	for name, tt := range map[string]struct {
		text string
		want int    // secrets
		err  string // "": none
	}{
		"one":                   {long, 1, ""},
		"one and a line's end":  {long + "\r\n", 1, ""},
		"lines of Windows":      {long + "\r\n" + long + "\r\n", 2, ""},
		"as many as there may":  {file(Max), Max, ""},
		"one more":              {file(Max + 1), 0, "has 5 lines, must have 4 or fewer"},
		"empty":                 {"", 0, "line 1 has 0 bytes"},
		"a byte short":          {long[1:], 0, "line 1 has 31 bytes, must have 32 or more"},
		"short by its line end": {long[1:] + "\r\n" + long, 0, "line 1 has 31 bytes"},
		"an empty line":         {long + "\n\n" + long, 0, "line 2 has 0 bytes"},
		"a short one behind":    {long + "\nhunter2", 0, "line 2 has 7 bytes"},
		"as long as a file may": {strings.Repeat("x", MaxFile), 1, ""},
		"too long":              {strings.Repeat("x", MaxFile+1), 0, "has more than 64KiB"},
	} {
		all, err := Parse([]byte(tt.text))
		switch {
		case len(all) != tt.want:
			t.Errorf("%s: got %d secrets, want %d", name, len(all), tt.want)
		case (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err):
			t.Errorf("%s: got %v, want %q", name, err, tt.err)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: got %v, want nothing of the secret", name, err)
		}
	}
}

// FuzzParse reads any file. Each line is a secret as it stands there, or there is an error.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", file(1), file(4), file(5), "short\n", "\r\n\r\n", file(1) + "\n" + file(1)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Parse(text)
		if (err == nil) != (len(all) > 0) || len(all) > Max {
			t.Errorf("got %d secrets, %v, want one to %d, or an error", len(all), err, Max)
		}
		for _, secret := range all {
			if len(secret) < Min || !bytes.Contains(text, secret) || bytes.ContainsAny(secret, "\n") {
				t.Errorf("got the secret %q, want a line of %d bytes or more", secret, Min)
			}
		}
	})
}
