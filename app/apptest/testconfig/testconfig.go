// Package testconfig says in tests what a Config's Validate finds, in the words of the command line. It knows the struct tags that
// flags are made of, and no part's Config.
package testconfig

import (
	"fmt"
	"reflect"
	"slices"
)

// Config is a part's settings.
type Config interface {
	// Validate calls wrong for each mistake. The field is a pointer to the setting that has it; arguments of the format that point to
	// other settings stand for their names.
	Validate(wrong func(field any, format string, args ...any))
}

// Mistakes returns what Validate of the Config, which is a pointer to a struct, finds: a line each, which begins with the flag.
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

// Flags returns the flags of a Config, which is a pointer to a struct, by pointers to its fields: --name, by the field's tag.
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
