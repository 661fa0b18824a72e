package envfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFormIsSystemds reads what systemd.exec(5) says of EnvironmentFile, one file a row.
func TestFormIsSystemds(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []Variable
	}{
		{"", nil},
		{"\n \t\n# A=1\n; A=2\n  # A=3\n", nil},
		{"A=1", []Variable{{"A", "1", 1}}},
		{"A=1\nB=2\nA=3\n", []Variable{{"A", "1", 1}, {"B", "2", 2}, {"A", "3", 3}}},
		{"\ufeff# here\r\nA=1\r\nB=2\r\n# C=3\r\n\r\nD=\r\n", []Variable{{"A", "1", 2}, {"B", "2", 3}, {"D", "", 6}}},
		{"  A= 1 2 \t\n", []Variable{{"A", "1 2", 1}}},
		{"A=\nB=\"\"\n", []Variable{{"A", "", 1}, {"B", "", 2}}},
		{"A=b=c", []Variable{{"A", "b=c", 1}}},
		{"A=1 # no comment", []Variable{{"A", "1 # no comment", 1}}},
		{"A=*:8080", []Variable{{"A", "*:8080", 1}}},
		{`A=say "a" and 'b'`, []Variable{{"A", `say "a" and 'b'`, 1}}},
		{`A=\\a\ b\"c`, []Variable{{"A", `\a b"c`, 1}}},
		{`A="a b"`, []Variable{{"A", "a b", 1}}},
		{"A=\"a b\" \r\nB=1", []Variable{{"A", "a b", 1}, {"B", "1", 2}}},
		{"A=\"\\\"\\\\\\$\\`\\n$B\"", []Variable{{"A", "\"\\$`\\n$B", 1}}},
		{`A='a\b"$c'`, []Variable{{"A", `a\b"$c`, 1}}},
		{"A=\"1\n2\"\nB=\"1\\\n2\"\nC=3", []Variable{{"A", "1\n2", 1}, {"B", "12", 3}, {"C", "3", 5}}},
	} {
		if got, wrong := parse(tt.text); len(wrong) > 0 || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %+v, wrong %v, want %+v", tt.text, got, wrong, tt.want)
		}
	}
}

// TestMistakes wants each wrong line told by its number, without what it says, and the others read.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"SECRET", "has no =, must be NAME=VALUE, or begin with #"},
		{"export A=SECRET", "begins with export, which is for shells: leave it out"},
		{"A =SECRET", "has something before = that is no name: letters, digits and _"},
		{"1A=SECRET", "has something before = that is no name: letters, digits and _"},
		{"=SECRET", "has something before = that is no name: letters, digits and _"},
		{`A=SECRET\`, `ends in \: a value of several lines stands in quotes`},
		{`A="SECRET`, "begins a quote that does not end"},
		{`A='SECRET\`, "begins a quote that does not end"},
		{`A="SECRET" # comment`, "has something after the quote"},
		{`A="SECRET"SECRET`, "has something after the quote"},
		{"A=SECRET\rD=1", "has a carriage return in its middle, where systemd would end it"},
		{"A=\rSECRET", "has a carriage return in its middle, where systemd would end it"},
		{"A=\r\"SECRET\"", "has a carriage return in its middle, where systemd would end it"},
		{"# SECRET\rD=1", "has a carriage return in its middle, where systemd would end it"},
		{"\ufeffA=SECRET", "begins with a byte order mark, with which systemd would not know it: save the file without one, or begin it with a comment"},
		{"A=SECRET\x00", "has a byte of value 0"},
		{"A=SECRET\xff", "is not in UTF-8"},
		{`# SECRET \`, `is a comment that ends in \, by which systemd takes the next line for a comment, too`},
	} {
		path := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(path, []byte("B=1\n"+tt.line+"\nC=1\nalso wrong\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if want := []Variable{{"B", "1", 1}, {"C", "1", 3}}; !slices.Equal(got, want) {
			t.Errorf("%q: got %+v, want %+v", tt.line, got, want)
		}
		want := fmt.Sprintf("%s:2: %s\n%[1]s:4: has no =, must be NAME=VALUE, or begin with #", path, tt.want)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", tt.line, err, want)
		}
	}
}

// TestMistakeInSeveralLines tells a quote that ends somewhere else by the line where it begins.
func TestMistakeInSeveralLines(t *testing.T) {
	got, wrong := parse("A=\"1\nB=\"2\"\nC='\n\x00'\n")
	if want := []Variable{{"B", "2", 2}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want := []mistake{{1, "has something after the quote"}, {3, "has a value that is no text in UTF-8"}, {4, "has a byte of value 0"}}
	if !slices.Equal(wrong, want) {
		t.Errorf("got %v, want %v", wrong, want)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	full := write("full", "A="+strings.Repeat("x", MaxFile-2))
	if got, err := Read(full); err != nil || len(got) != 1 || len(got[0].Value) != MaxFile-2 {
		t.Errorf("%d bytes: got %d variables, %v, want one", MaxFile, len(got), err)
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "nowhere"): "no such file",
		folder:                           "is a directory",
		write("long", "A="+strings.Repeat("x", MaxFile-1)):    "has more than 64KiB",
		write("longer", "A="+strings.Repeat("x", 20*MaxFile)): "has more than 64KiB",
	} {
		if got, err := Read(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || got != nil {
			t.Errorf("%s: got %+v, %v, want the path and %q", path, got, err, want)
		}
	}
}

// FuzzParse reads any text: each variable has a name and comes from a line of its own, no mistake repeats the text, and what is read is
// read again where it stands in single quotes.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"A=1\n# x\n;y\nB=\"a\\\"b\\\\c\\$d\\`e\"\r\n", "A='x\ny'\n\nB=\\x", "A=\"", "\ufeffexport A=1", "A=\"1\\\n2\"x", "=\x00\xff\n#\\",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, wrong := parse(text)
		lines := strings.Count(text, "\n") + 1
		last := 0
		for _, v := range all {
			if v.Line <= last || v.Line > lines || !name.MatchString(v.Name) || strings.Contains(v.Value, "\x00") {
				t.Errorf("%q: got %+v, want a name, a text, and a line after %d, up to %d", text, v, last, lines)
			}
			last = v.Line
			if strings.Contains(v.Value, "'") {
				continue
			}
			again, wrong := parse(v.Name + "='" + v.Value + "'")
			if len(wrong) > 0 || len(again) != 1 || again[0].Value != v.Value {
				t.Errorf("%q in single quotes: got %+v, wrong %v, want it", v.Value, again, wrong)
			}
		}
		for _, m := range wrong {
			if m.line < 1 || m.line > lines || m.what == "" {
				t.Errorf("%q: got %+v, want a line, and what is wrong", text, m)
			}
		}
	})
}
