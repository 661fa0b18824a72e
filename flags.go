package main

import (
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/alecthomas/units"

	"signal-server/app/listen"
)

// bytes is a size on the command line: 512, 64KiB, 1GiB.
type bytes int64

// String writes the size in the largest unit that it is a multiple of.
func (b bytes) String() string { return units.Base2Bytes(b).String() }

// rate is how many events in how much time: 50/s, 60/m, or off. A client may have them all at once, and gets them back evenly.
type rate struct {
	Events int           // 0: off
	Per    time.Duration // a second, a minute or an hour
}

// units of a rate, by their name.
var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// String writes the rate as it is read.
func (r rate) String() string {
	for name, per := range rateUnits {
		if r.Events > 0 && r.Per == per {
			return fmt.Sprintf("%d/%s", r.Events, name)
		}
	}
	return "off"
}

func parseRate(text string) (rate, error) {
	if text == "off" {
		return rate{}, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > math.MaxInt32 || rateUnits[unit] == 0 {
		return rate{}, fmt.Errorf("a rate such as 50/s, 60/m or 100/h, or off")
	}
	return rate{n, rateUnits[unit]}, nil
}

// mode is the permissions of a file: 0660.
type mode fs.FileMode

// String writes them as they are read.
func (m mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// FileMode returns them as the system takes them.
func (m mode) FileMode() fs.FileMode { return fs.FileMode(m) }

// share is a part of something: 0 (off) to 1.
type share float64

// String writes the share as it is read.
func (s share) String() string {
	if s == 0 {
		return "off"
	}
	return strconv.FormatFloat(float64(s), 'g', -1, 64)
}

func parseShare(text string) (share, error) {
	if text == "off" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 1) {
		return 0, fmt.Errorf("a share such as 0.01, or 1, or off")
	}
	return share(n), nil
}

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

func (m *mistakes) rates() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[rate](), mapper(m, parseRate))
}

func (m *mistakes) modes() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[mode](), mapper(m, listen.ParseMode))
}

func (m *mistakes) shares() kong.Option {
	return kong.TypeMapper(reflect.TypeFor[share](), mapper(m, parseShare))
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
