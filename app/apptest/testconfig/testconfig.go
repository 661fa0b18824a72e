// Package testconfig tells tests what the Validate of a Config finds, in the words of the command line. It knows the struct tags that
// flags are made of, and no Config in particular.
package testconfig

import (
	"fmt"
	"reflect"
	"slices"
)

// Config is a part's settings.
type Config interface {
	// Validate calls wrong for each mistake, with a pointer to the field. An argument of the format that points to another field stands
	// for that field's name.
	Validate(wrong func(field any, format string, args ...any))
}

// Mistakes returns what Validate finds, one line for each mistake. A line begins with the flag. The config is a pointer to a struct.
func Mistakes(config Config) (lines []string) {
	flags := Flags(config)
	config.Validate(func(field any, format string, args ...any) {
		args = slices.Clone(args)
		for i, arg := range args {
			if flag, ok := flags[arg]; ok {
				args[i] = flag
			}
		}
		flag, ok := flags[field]
		if !ok {
			panic(fmt.Sprintf("BUG: Validate of %T tells of %T, which points to none of its flags", config, field))
		}
		lines = append(lines, flag+" "+fmt.Sprintf(format, args...))
	})
	return lines
}

// Flags returns the flag of each field, by a pointer to the field: --name, from the field's tag. The config is a pointer to a struct.
func Flags(config any) map[any]string {
	flags := make(map[any]string)
	fields := reflect.ValueOf(config).Elem()
	for i := range fields.NumField() {
		tag := fields.Type().Field(i).Tag
		if name, ok := tag.Lookup("name"); ok {
			flags[fields.Field(i).Addr().Interface()] = "--" + name
		}
	}
	return flags
}
