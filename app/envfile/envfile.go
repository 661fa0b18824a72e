// Package envfile reads files of environment variables: the form of systemd's EnvironmentFile (systemd.exec(5)), of which docker's --env-file
// is the plain part. What systemd would leave out, with a line in its journal or without, is a mistake here. The package does not know what
// the variables are for.
//
//	# a comment            ; another
//	NAME=value             whatever it is up to the end of the line, spaces around it left out; \ takes the next character as it is
//	NAME="value"           \ stands before ", \, $ and ` only, and joins lines; no $ is replaced
//	NAME='value'           as it is
//
// A quoted value may go on over several lines. Of two variables of one name the last one counts.
package envfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/units"
)

// MaxFile bounds a file, in bytes: a thousand settings fit.
const MaxFile = 64 << 10

// Variable is what a file says of one variable.
type Variable struct {
	Name, Value string
	Line        int // where it begins; the first one is 1
}

// Read returns the variables of a file in their order. If lines are wrong it returns the others all the same, and an error for each wrong
// line, joined: FILE:LINE and what is wrong. No error repeats what a line says, because that may be a secret.
func Read(path string) ([]Variable, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, err // it names the path
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxFile {
		return nil, fmt.Errorf("%s has more than %v", path, units.Base2Bytes(MaxFile))
	}
	return Parse(path, string(content))
}

// Parse returns the variables of a file's text, as Read does.
func Parse(path, text string) ([]Variable, error) {
	all, mistakes := parse(text)
	var errs []error
	for _, m := range mistakes {
		errs = append(errs, fmt.Errorf("%s:%d: %s", path, m.line, m.what))
	}
	return all, errors.Join(errs...)
}

// mistake is what is wrong with a line, without what it says.
type mistake struct {
	line int
	what string
}

const (
	byteOrderMark = "\ufeff" // Windows' editors begin a file with it
	blank         = " \t"
	space         = blank + "\r" // of lines that end in CR LF

	carriageReturn = "has a carriage return in its middle, where systemd would end it"
)

var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parse returns the variables of a text, and its mistakes.
func parse(text string) (all []Variable, mistakes []mistake) {
	for number := 1; text != ""; {
		line, below, _ := strings.Cut(text, "\n")
		v, used, what := assignment(line, text)
		switch {
		case what != "":
			mistakes = append(mistakes, mistake{number, what})
		case v.Name != "":
			v.Line = number
			all = append(all, v)
			if used > len(line) { // a value of several lines
				number += strings.Count(text[:used], "\n")
				_, below, _ = strings.Cut(text[used:], "\n")
			}
		}
		text = below
		number++
	}
	return all, mistakes
}

// assignment reads the variable that begins in the first line of the text. It returns how much of the text it used, or what is wrong; no name
// means that there is none.
func assignment(line, text string) (v Variable, used int, wrong string) {
	trimmed := strings.Trim(strings.TrimPrefix(line, byteOrderMark), space)
	switch {
	case strings.Contains(line, "\x00"):
		return v, 0, "has a byte of value 0"
	case !utf8.ValidString(line):
		return v, 0, "is not in UTF-8"
	case strings.HasPrefix(line, byteOrderMark) && strings.Contains(line, "="):
		return v, 0, "begins with a byte order mark, with which systemd would not know it: save the file without one, or begin it with a comment"
	case trimmed == "":
		return v, 0, ""
	case trimmed[0] == '#' || trimmed[0] == ';':
		if strings.Contains(trimmed, "\r") {
			return v, 0, carriageReturn
		}
		if strings.HasSuffix(trimmed, `\`) {
			return v, 0, `is a comment that ends in \, by which systemd takes the next line for a comment, too`
		}
		return v, 0, ""
	}
	before, after, ok := strings.Cut(line, "=")
	before = strings.TrimLeft(before, space)
	switch {
	case !ok:
		return v, 0, "has no =, must be NAME=VALUE, or begin with #"
	case strings.HasPrefix(before, "export "):
		return v, 0, "begins with export, which is for shells: leave it out"
	case !name.MatchString(before):
		return v, 0, "has something before = that is no name: letters, digits and _"
	}
	v.Name = before
	value := strings.TrimLeft(after, blank)
	if value == "" || value[0] != '"' && value[0] != '\'' {
		v.Value, wrong = plain(strings.TrimRight(value, space))
		return v, 0, wrong
	}
	from := len(line) - len(value) + 1
	var end int
	if v.Value, end = unquoted(text[from:], value[0]); end < 0 {
		return v, 0, "begins a quote that does not end"
	}
	used = from + end
	if rest, _, _ := strings.Cut(text[used:], "\n"); strings.Trim(rest, space) != "" {
		return v, 0, "has something after the quote"
	}
	if strings.Contains(v.Value, "\x00") || !utf8.ValidString(v.Value) {
		return v, 0, "has a value that is no text in UTF-8"
	}
	return v, used, ""
}

// plain returns a value that does not begin with a quote.
func plain(text string) (value, wrong string) {
	if strings.Contains(text, "\r") {
		return "", carriageReturn
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			if i++; i == len(text) {
				return "", `ends in \: a value of several lines stands in quotes`
			}
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}

// unquoted returns the value that begins after an opening quote, and how much of the text that is with the closing one; -1: there is none.
func unquoted(text string, quote byte) (value string, end int) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			return b.String(), i + 1
		case c == '\\' && quote == '"' && i+1 < len(text):
			switch next := text[i+1]; next {
			case '"', '\\', '$', '`':
				b.WriteByte(next)
				i++
			case '\n':
				i++
			default:
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", -1
}
