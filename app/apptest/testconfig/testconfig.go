// Package testconfig says in tests what a Config's Validate finds, in the words of the command line. It knows the struct tags that
// flags are made of, and no part's Config.
package testconfig

import (
	"reflect"

	"signal-server/app/flag"
)

// Mistakes returns what Validate of the Config, which is a pointer to a struct, finds: a line each, which begins with the flag.
func Mistakes(config flag.Config) (lines []string) {
	var found flag.Mistakes
	found.Valid(Flags(config), config)
	for _, mistake := range found {
		lines = append(lines, mistake.Error())
	}
	return lines
}

// Flags returns what the flags of a Config are called, which is a pointer to a struct: --name, by the tag of each field.
func Flags(config any) flag.Names {
	names := make(flag.Names)
	fields := reflect.ValueOf(config).Elem()
	for i := range fields.NumField() {
		if name, ok := fields.Type().Field(i).Tag.Lookup("name"); ok {
			names[fields.Field(i).Addr().Interface()] = "--" + name
		}
	}
	return names
}
