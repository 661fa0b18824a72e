package app

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// worded returns the arguments with help and version, which people also say as words, as flags. The first word that is no flag must be a
// command.
func worded(args []string, program *kong.Node) ([]string, error) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return args, nil
	}
	switch args[0] {
	case "help":
		if len(args) == 1 {
			return []string{"--help"}, nil
		}
		return worded(append(slices.Clone(args[1:]), "--help"), program)
	case "version":
		return append([]string{"--version"}, args[1:]...), nil
	}
	var names []string
	for _, command := range program.Children {
		names = append(names, command.Name)
	}
	names = append(names, "help", "version")
	if slices.Contains(names, args[0]) {
		return args, nil
	}
	all := strings.Join(names, ", ")
	if meant := nearest(args[0], names); meant != "" {
		return nil, fmt.Errorf("%q is no command; is %s meant? All are %s", args[0], meant, all)
	}
	return nil, fmt.Errorf("%q is no command; all are %s", args[0], all)
}

// flagsAlone is the group of flags that are no variables.
const flagsAlone = "Flags that are no variables"

// printHelp prints the help of a command, the program's own flags last. Without a command that is the one that serves, and then the others.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	program, shown := ctx.Model.Node, ctx.Selected()
	var commands string
	if shown == nil {
		commands = listed(program)
		shown = commandNamed(program, "serve")
		shown.Help = program.Help
		options.NoAppSummary = true
		fmt.Fprintf(ctx.Stdout, "Usage: %s [<command>] [flags]\n", program.Name)
	}
	ctx.Model.HelpFlag.Help = "Print this; exit."
	ctx.Model.HelpFlag.Group = &kong.Group{Key: flagsAlone, Title: flagsAlone}
	if shown.Name != "serve" { // there are few
		for _, f := range program.Flags {
			f.Group = nil
		}
	}
	shown.Flags = append(shown.Flags, program.Flags...)
	program.Flags = nil
	last := *ctx // which kong asks what is selected
	last.Path = []*kong.Path{{App: ctx.Model}, {Command: shown}}
	if err := kong.DefaultHelpPrinter(options, &last); err != nil {
		return err
	}
	_, err := io.WriteString(ctx.Stdout, commands)
	return err
}

// listed returns the program's commands, a line each.
func listed(program *kong.Node) string {
	var b strings.Builder
	b.WriteString("\nCommands\n")
	for _, c := range program.Children {
		fmt.Fprintf(&b, "  %-14s%s\n", c.Name, c.Help)
	}
	fmt.Fprintf(&b, "  %-14s%s\n", "help", "Print this, or the flags of the command that follows it.")
	fmt.Fprintf(&b, "  %-14s%s\n", "version", "Print the version.")
	return b.String()
}

// commandNamed returns a command of the program.
func commandNamed(program *kong.Node, name string) *kong.Node {
	i := slices.IndexFunc(program.Children, func(c *kong.Node) bool { return c.Name == name })
	if i < 0 {
		panic("BUG: no command " + name)
	}
	return program.Children[i]
}
