package flag

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// level is a type that reads itself.
type level string

func (l *level) UnmarshalText(text []byte) error {
	if !slices.Contains([]string{"low", "high"}, string(text)) {
		return errors.New("low or high")
	}
	*l = level(text)
	return nil
}

// part is a part's settings.
type part struct {
	Size  int64         `name:"size" type:"bytes" default:"64KiB"`
	Short int           `name:"short-size" type:"bytes" default:"1KiB"`
	For   time.Duration `name:"for" default:"30s"`
	Count int           `name:"count" default:"3"`
	Most  int           `name:"most" default:"10"`
	Level level         `name:"level" default:"low"`
	List  []string      `name:"list" default:"a,b"`
	Other string        `kong:"-"` // no flag sets it
}

// Validate implements Config.
func (p *part) Validate(wrong func(field any, format string, args ...any)) {
	if p.Count > p.Most {
		wrong(&p.Count, "is %d, must be %d (%v) or less", p.Count, p.Most, &p.Most)
	}
	if p.For < 0 {
		wrong(&p.For, "is %v, must be 0 or more", p.For)
	}
}

var standard = part{
	Size: 64 << 10, Short: 1 << 10, For: 30 * time.Second, Count: 3, Most: 10, Level: "low", List: []string{"a", "b"},
}

// parse reads a command line.
func parse(t testing.TB, args ...string) (p part, flags []*kong.Flag, m Mistakes) {
	t.Helper()
	parser, err := kong.New(&p, append(m.Options(Text[level]), kong.Exit(func(int) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		t.Fatalf("%v: got %v, want all mistakes to be collected", args, err)
	}
	return p, parsed.Flags(), m
}

func TestWrongValues(t *testing.T) {
	const (
		size, duration = "a size such as 4096, 64KiB or 1GiB", "a duration such as 30s, 500ms or 5m"
		number, one    = "a whole number", "low or high"
	)
	for _, row := range []struct {
		flag, want string
		values     []string
	}{
		{"size", size, []string{"", "x", "-1", "1.5.5KiB", "64 KiB", "KiB", "-1KiB", "1e3", "0x10", "9999999999999999999", "9999999PiB"}},
		{"for", duration, []string{"", "x", "30", "1d", "s", "1h1"}},
		{"count", number, []string{"", "x", "1.5", "1e3", "99999999999999999999", "1_000", "0x1"}},
		{"level", one, []string{"", "x", "LOW"}},
	} {
		for _, value := range row.values {
			got, _, m := parse(t, "--"+row.flag+"="+value, "--most=7")
			want := fmt.Sprintf("--%s is %q, must be %s", row.flag, value, row.want)
			if len(m) != 1 || m[0].Error() != want {
				t.Errorf("got %q, want %q", m, want)
			}
			expect := standard
			expect.Most = 7
			if !reflect.DeepEqual(got, expect) {
				t.Errorf("--%s=%s: got %+v, want its default and the others as they were told", row.flag, value, got)
			}
		}
	}
}

func TestAllMistakesAreTold(t *testing.T) {
	_, _, m := parse(t, "--size=x", "--for=x", "--count=x", "--level=x")
	if len(m) != 4 {
		t.Errorf("got %d mistakes, %q, want 4", len(m), m)
	}
}

// TestValues reads values, writes them, and reads what was written.
func TestValues(t *testing.T) {
	for _, row := range []struct {
		arg     string
		change  func(*part)
		written string
	}{
		{"--size=0", func(p *part) { p.Size = 0 }, "0B"},
		{"--size=1", func(p *part) { p.Size = 1 }, "1B"},
		{"--size=1023", func(p *part) { p.Size = 1023 }, "1023B"},
		{"--size=1024", func(p *part) { p.Size = 1024 }, "1KiB"},
		{"--size=1.5GiB", func(p *part) { p.Size = 3 << 29 }, "1GiB512MiB"},
		{"--size=1GB", func(p *part) { p.Size = 1e9 }, FormatBytes(1e9)},
		{"--short-size=64KiB", func(p *part) { p.Short = 64 << 10 }, "64KiB"},
		{"--for=0", func(p *part) { p.For = 0 }, "0s"},
		{"--for=90s", func(p *part) { p.For = 90 * time.Second }, "1m30s"},
		{"--for=-1ns", func(p *part) { p.For = -1 }, "-1ns"},
		{"--count=-5", func(p *part) { p.Count = -5 }, "-5"},
		{"--level=high", func(p *part) { p.Level = "high" }, "high"},
		{"--list=x", func(p *part) { p.List = []string{"x"} }, "x"},
		{"--list=x,y,z", func(p *part) { p.List = []string{"x", "y", "z"} }, "x,y,z"},
	} {
		want := standard
		row.change(&want)
		name, _, _ := strings.Cut(strings.TrimPrefix(row.arg, "--"), "=")
		got, flags, m := parse(t, row.arg)
		if len(m) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %q, want %+v", row.arg, got, m, want)
		}
		i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == name })
		written := Format(flags[i])
		if written != row.written {
			t.Errorf("%s: got it written as %q, want %q", row.arg, written, row.written)
		}
		if again, _, m := parse(t, "--"+name+"="+written); len(m) > 0 || !reflect.DeepEqual(again, want) {
			t.Errorf("%s, written as %s: got %+v, %q, want what it was", row.arg, written, again, m)
		}
	}
}

func TestDefaults(t *testing.T) {
	var got part
	Defaults([]TextType{Text[level]}, &got)
	if !reflect.DeepEqual(got, standard) {
		t.Errorf("got %+v, want %+v", got, standard)
	}
	wantPanic(t, "a default that cannot be read", func() {
		Defaults(nil, &struct {
			For time.Duration `name:"for" default:"soon"`
		}{})
	})
}

func wantPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "BUG") {
			t.Errorf("%s: got %s, want a panic that says BUG", what, got)
		}
	}()
	f()
}

func TestWrong(t *testing.T) {
	var p part
	var m Mistakes
	parser, err := kong.New(&p, m.Options(Text[level])...)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse([]string{"--count=11", "--for=-1s"})
	if err != nil {
		t.Fatal(err)
	}
	names := NamesOf(parsed.Flags())
	if m.Valid(names, &p) {
		t.Error("Valid: got true, want false")
	}
	want := "--count is 11, must be 10 (--most) or less\n--for is -1s, must be 0 or more"
	if got := errors.Join(m...).Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p.Count, p.For = 10, 0
	if !m.Valid(names, &p) || len(m) != 2 {
		t.Errorf("Valid, corrected: got false or %d mistakes, want true and the 2 from before", len(m))
	}
	args := []any{&p.Most}
	m.Wrong(names, &p.Count, "is like %v", args...)
	if args[0] != &p.Most || m[2].Error() != "--count is like --most" {
		t.Errorf("got %q and the arguments %v, want the name, and the caller's arguments as they were", m[2], args)
	}
	wantPanic(t, "a mistake in what no flag sets", func() { m.Wrong(names, &p.Other, "is wrong") })
}
