package main

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
	"github.com/alecthomas/units"
)

// bytes is a size on the command line: 512, 64KiB, 1GiB.
type bytes int64

// String writes the size in the largest unit that it is a multiple of.
func (b bytes) String() string { return units.Base2Bytes(b).String() }

// mistakes collects what is wrong with the values of flags, so that all of it is told at once; kong would stop at the first.
// A flag with a wrong value gets its default, so that the others can be checked; nothing else may be done with them then.
type mistakes []error

// mapper returns a kong mapper that parses a value or collects why it cannot.
func mapper[T any](m *mistakes, parse func(string) (T, error)) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		var text string
		if err := ctx.Scan.PopValueInto(ctx.Value.Name, &text); err != nil {
			return err
		}
		value, err := parse(text)
		if err != nil {
			*m = append(*m, fmt.Errorf("--%s is %q, must be %w", ctx.Value.Name, text, err))
			if value, err = parse(ctx.Value.Default); err != nil {
				return fmt.Errorf("BUG: the default of --%s: %w", ctx.Value.Name, err)
			}
		}
		target.Set(reflect.ValueOf(value).Convert(target.Type()))
		return nil
	}
}

// settings is what a part of the server is made of. Validate calls wrong with a pointer to each field that cannot be used, and what is
// wrong with it in words that follow the field's name; arguments that point to other fields stand for their names.
type settings interface {
	Validate(wrong func(field any, format string, args ...any))
}

// valid collects what is wrong with the settings, whose fields are flags, and reports whether nothing is.
func (m *mistakes) valid(flags []*kong.Flag, s settings) bool {
	names := make(map[any]string)
	for _, flag := range flags {
		names[flag.Target.Addr().Interface()] = "--" + flag.Name
	}
	before := len(*m)
	s.Validate(func(field any, format string, args ...any) {
		for i, arg := range args {
			if name, ok := names[arg]; ok {
				args[i] = name
			}
		}
		*m = append(*m, fmt.Errorf("%s "+format, append([]any{names[field]}, args...)...))
	})
	return len(*m) == before
}

func (m *mistakes) durations() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[time.Duration](), mapper(m, func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("a duration such as 30s, 500ms or 5m")
		}
		return d, nil
	}))
}

func (m *mistakes) ints() kong.Option {
	return kong.KindMapper(reflect.Int, mapper(m, func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("a whole number")
		}
		return n, nil
	}))
}

// texts is for a type whose UnmarshalText says what the text must be.
func texts[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](m *mistakes) kong.Option {
	return kong.TypeMapper(reflect.TypeFor[T](), mapper(m, func(text string) (value T, err error) {
		err = P(&value).UnmarshalText([]byte(text))
		return value, err
	}))
}

func (m *mistakes) bytes() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[bytes](), mapper(m, func(text string) (bytes, error) {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			return bytes(n), nil
		}
		n, err := units.ParseStrictBytes(text)
		if err != nil || n < 0 || n == math.MaxInt64 {
			return 0, fmt.Errorf("a size such as 4096, 64KiB or 1GiB")
		}
		return bytes(n), nil
	}))
}
