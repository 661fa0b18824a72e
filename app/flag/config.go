package flag

import (
	"fmt"
	"slices"

	"github.com/alecthomas/kong"
)

// Config is a part's settings.
type Config interface {
	// Validate calls wrong for each mistake: with a pointer to the setting that has it, and what is wrong in words that follow the
	// setting's name. Arguments that point to other settings stand for their names.
	Validate(wrong func(field any, format string, args ...any))
}

// Names are what the settings of a command line are called, by pointers to their fields.
type Names map[any]string

// NamesOf returns the names of these flags: --name.
func NamesOf(flags []*kong.Flag) Names {
	names := make(Names)
	for _, f := range flags {
		names[f.Target.Addr().Interface()] = "--" + f.Name
	}
	return names
}

// Wrong collects a mistake in the form in which Config tells it.
func (m *Mistakes) Wrong(names Names, field any, format string, args ...any) {
	name, ok := names[field]
	if !ok {
		panic(fmt.Sprintf("BUG: %q is told of a %T that no flag sets", format, field))
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if other, ok := names[arg]; ok {
			args[i] = other
		}
	}
	*m = append(*m, fmt.Errorf("%s "+format, append([]any{name}, args...)...))
}

// Valid collects the mistakes of a Config, and reports whether it has none.
func (m *Mistakes) Valid(names Names, c Config) bool {
	before := len(*m)
	c.Validate(func(field any, format string, args ...any) { m.Wrong(names, field, format, args...) })
	return len(*m) == before
}

// Defaults gives each setting of these Configs, which are pointers to structs, its default. It panics if a tag is wrong.
func Defaults(texts []TextType, configs ...any) {
	for _, c := range configs {
		var m Mistakes
		if err := kong.ApplyDefaults(c, m.Options(texts...)...); err != nil || len(m) > 0 {
			panic(fmt.Sprintf("BUG: the defaults of %T: %v %v", c, err, m))
		}
	}
}
