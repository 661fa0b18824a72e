// Package flag makes flags of the Config of each part: a field is a setting, its tags are the flag's name, default and help. It reads
// values as people write them, and tells all mistakes of a command line at once. It knows no setting.
//
//	Config{TTL time.Duration `name:"ttl" default:"30s" help:"How long a session lives without requests."`} ──kong──▶ --ttl, SIGNAL_TTL
//	Config.Validate(wrong) ──pointer to a field──▶ Mistakes ──▶ "--ttl is 0s, must be 1ms or more"
package flag

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

// Mistakes collects what is wrong with a command line, so that all of it is told at once; kong would stop at the first mistake. A flag
// with a wrong value gets its default, so that the others can be checked; nothing else may be done with it.
type Mistakes []error

// Add collects a mistake that is told in its own words; nil is none.
func (m *Mistakes) Add(err error) {
	if err != nil {
		*m = append(*m, err)
	}
}

// Options make kong collect wrong values in m. Durations, whole numbers and sizes (type:"bytes") are known; texts are the types that
// read themselves, as Text makes them.
func (m *Mistakes) Options(texts ...TextType) []kong.Option {
	all := []kong.Option{
		kong.TypeMapper(reflect.TypeFor[time.Duration](), mapper(m, parseDuration)),
		kong.KindMapper(reflect.Int, mapper(m, parseInt)),
		kong.NamedMapper(bytesType, mapper(m, ParseBytes)),
	}
	for _, text := range texts {
		all = append(all, text(m))
	}
	return all
}

// TextType tells Options of a type that reads itself.
type TextType = func(*Mistakes) kong.Option

// Text is a TextType: T reads itself, and says in its error what a text must be.
func Text[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](m *Mistakes) kong.Option {
	return kong.TypeMapper(reflect.TypeFor[T](), mapper(m, func(text string) (value T, err error) {
		err = P(&value).UnmarshalText([]byte(text))
		return value, err
	}))
}

// mapper returns a kong mapper that parses a value or collects why it cannot.
func mapper[T any](m *Mistakes, parse func(string) (T, error)) kong.MapperFunc {
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

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("a duration such as 30s, 500ms or 5m")
	}
	return d, nil
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("a whole number")
	}
	return n, nil
}

// bytesType is the tag type of a whole number that is a size: 512, 64KiB, 1GiB.
const bytesType = "bytes"

func ParseBytes(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return n, nil
	}
	n, err := units.ParseStrictBytes(text)
	if err != nil || n < 0 || n == math.MaxInt64 {
		return 0, fmt.Errorf("a size such as 4096, 64KiB or 1GiB")
	}
	return n, nil
}

// FormatBytes writes a size in the largest unit that it is a multiple of.
func FormatBytes(n int64) string { return units.Base2Bytes(n).String() }

// Format returns the value of a flag as it would be read.
func Format(f *kong.Flag) string {
	switch value := f.Target; {
	case f.Tag.Type == bytesType:
		return FormatBytes(value.Int())
	case value.Kind() == reflect.Slice:
		return joined(value)
	default:
		return fmt.Sprint(value.Interface())
	}
}

// joined writes a list with commas.
func joined(list reflect.Value) string {
	text := ""
	for i := range list.Len() {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprint(list.Index(i).Interface())
	}
	return text
}
