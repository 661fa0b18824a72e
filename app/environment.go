package app

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kong"

	"signal-server/app/envfile"
	"signal-server/app/flag"
)

// variablePrefix begins the name of each variable that sets a flag.
const variablePrefix = "SIGNAL_"

// strangers begin the names of variables that set no flag and are let be: Kubernetes tells of a Service named signal-server by
// SIGNAL_SERVER_PORT and the like, and tests of this project are told by the others. No flag may be named so.
var strangers = []string{"SIGNAL_SERVER", "SIGNAL_TEST_", "SIGNAL_ATTACK"}

// ofService matches what Kubernetes makes of a Service: SIGNAL_SERVICE_HOST, SIGNAL_PORT_80_TCP_ADDR.
var ofService = regexp.MustCompile(`_(?:SERVICE_(?:HOST|PORT).*|PORT|PORT_[0-9]+_.*)$`)

// environment is what is told by variables: those of the process, and those of a file, which count where the process has none of the name.
type environment struct {
	wrong *flag.Mistakes
	path  string // of the file; empty: there is none
	file  []envfile.Variable
}

// envFile is the flag that names the file.
type envFile string

// BeforeResolve is called by kong when the flag is on the command line: it reads the file, and has kong take from it what neither a flag nor
// the process's environment says.
func (envFile) BeforeResolve(ctx *kong.Context, trace *kong.Path, env *environment) error {
	path := string(ctx.FlagValue(trace.Flag).(envFile))
	if path == "" || path == env.path {
		return nil
	}
	env.path = path
	if times := len(slices.DeleteFunc(slices.Clone(ctx.Path), func(p *kong.Path) bool { return p.Flag != trace.Flag })); times > 1 {
		env.wrong.Add(fmt.Errorf("--env-file is given %d times, and only the last one would count: put all into one file", times))
	}
	var err error
	env.file, err = envfile.Read(path)
	var lines interface{ Unwrap() []error } // which name the file by themselves
	if errors.As(err, &lines) {
		*env.wrong = append(*env.wrong, lines.Unwrap()...)
	} else {
		env.wrong.Add(named("--env-file", err))
	}
	env.checkRuntime()
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
		if v, ok := env.ofFile(f); ok {
			return v.Value, nil
		}
		return nil, nil // it knows nothing of the flag
	}))
	return nil
}

// ofFile returns the variable of the file that sets the flag: the last one of its name, if the process has none.
func (e *environment) ofFile(f *kong.Flag) (v envfile.Variable, ok bool) {
	for _, v := range slices.Backward(e.file) {
		if slices.Contains(f.Envs, v.Name) {
			return v, ofProcess(f) == ""
		}
	}
	return v, false
}

// ofProcess returns the process's variable that sets the flag; empty: there is none.
func ofProcess(f *kong.Flag) string {
	i := slices.IndexFunc(f.Envs, func(name string) bool { _, ok := os.LookupEnv(name); return ok })
	if i < 0 {
		return ""
	}
	return f.Envs[i]
}

// at returns where in the file the variable is, and its name.
func (e *environment) at(v envfile.Variable) string {
	return fmt.Sprintf("%s:%d: %s", e.path, v.Line, v.Name)
}

// memoryLimit is the variable that tells Go how much memory the process should take.
const memoryLimit = "GOMEMLIMIT"

// byRuntime are the variables that Go reads before the program begins, where a file that the program reads comes too late.
var byRuntime = []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOTRACEBACK"}

// checkRuntime collects what is wrong with the file's variables for Go.
func (e *environment) checkRuntime() {
	for _, v := range e.others() {
		if slices.Contains(byRuntime, v.Name) {
			e.wrong.Add(fmt.Errorf("%s is read when the process starts, before this file: set it in the environment", e.at(v)))
		}
		if _, ok := parseMemoryLimit(v.Value); v.Name == memoryLimit && !ok {
			e.wrong.Add(fmt.Errorf("%s must be a size such as 1400MiB, or off", e.at(v)))
		}
	}
}

// others returns the file's variables that set no flag, and that the process does not have.
func (e *environment) others() (all []envfile.Variable) {
	for _, v := range e.file {
		if _, ok := os.LookupEnv(v.Name); !ok && !strings.HasPrefix(v.Name, variablePrefix) {
			all = append(all, v)
		}
	}
	return all
}

// apply gives the process the file's variables that are not the server's own, such as SSL_CERT_FILE, as though it had been started with them.
// Nothing may have read them before. What Go itself would have read is told to it.
func (e *environment) apply() error {
	for _, v := range e.others() {
		if err := os.Setenv(v.Name, v.Value); err != nil {
			return fmt.Errorf("%s: %w", e.at(v), err)
		}
		if v.Name == memoryLimit {
			if limit, _ := parseMemoryLimit(v.Value); limit > 0 {
				debug.SetMemoryLimit(limit)
			}
		}
	}
	return nil
}

// goSize is a size as Go reads it.
var goSize = regexp.MustCompile(`^[0-9]+(?:(?:[KMGT]i)?B)?$`)

// parseMemoryLimit reads GOMEMLIMIT as Go does; 0: it says nothing.
func parseMemoryLimit(text string) (limit int64, ok bool) {
	switch {
	case text == "":
		return 0, true
	case text == "off":
		return math.MaxInt64, true
	case !goSize.MatchString(text):
		return 0, false
	}
	limit, err := flag.ParseBytes(text)
	return limit, err == nil
}

// checkNames collects each variable that is named as though it set a flag, and sets none: it is misspelt, and what it should bound would have
// no bound. Only names that begin with the prefix are looked at. What the variables say is not told, because it may be a secret.
func (e *environment) checkNames(program *kong.Node, prefix string) {
	places := make(map[string]string) // of each name, with the name
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		places[name] = name
	}
	for _, v := range e.file {
		places[v.Name] = e.at(v)
	}
	known, flags := variables(program)
	for _, name := range slices.Sorted(maps.Keys(places)) {
		stranger := func(begin string) bool { return strings.HasPrefix(name, begin) }
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || slices.ContainsFunc(strangers, stranger) {
			continue
		}
		e.wrong.Add(fmt.Errorf("%s: no such setting; %s", places[name], hint(name, known, flags)))
	}
	for _, v := range e.file { // which is for this program; the process's environment is for all
		meant := func(name string) bool { return levenshtein.ComputeDistance(strings.ToUpper(v.Name), name) <= 2 }
		if i := slices.IndexFunc(known, meant); i >= 0 && !strings.HasPrefix(v.Name, variablePrefix) {
			e.wrong.Add(fmt.Errorf("%s: no such setting; is %s meant?", e.at(v), known[i]))
		}
	}
}

// hint says what may have been meant by a name that is none of the known variables.
func hint(name string, known, flags []string) string {
	asFlag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, variablePrefix)), "_", "-")
	switch meant := nearest(name, known); {
	case name == variablePrefix+"PORT": // what many other servers read
		return "SIGNAL_LISTEN=:8080 says where to listen; where Kubernetes makes this one of a Service, the pod needs enableServiceLinks: false"
	case ofService.MatchString(name):
		return "where Kubernetes makes it of a Service, the pod needs enableServiceLinks: false"
	case slices.Contains(flags, asFlag):
		return asFlag + " can only stand on the command line"
	case meant != "":
		return "is " + meant + " meant?"
	default:
		return "signal-server --help lists them"
	}
}

// flagAtFirst matches a mistake that is told of a flag.
var flagAtFirst = regexp.MustCompile(`^--([a-z-]+)\b`)

// placed puts before each line of an error that is told of a flag the variable that set the flag, and its line in the file.
func (e *environment) placed(parsed *kong.Context, err error) error {
	if err == nil {
		return nil
	}
	var lines []error
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		if told := flagAtFirst.FindStringSubmatch(line); told != nil {
			line = e.place(parsed, told[1]) + line
		}
		lines = append(lines, errors.New(line))
	}
	return errors.Join(lines...)
}

// place returns where the value of a flag is from, with a colon behind it: a variable, or one of the file. It is empty where the command line
// says it, or nobody.
func (e *environment) place(parsed *kong.Context, name string) string {
	for _, p := range parsed.Path {
		if p.Flag != nil && p.Flag.Name == name && !p.Resolved {
			return ""
		}
	}
	flags := parsed.Flags()
	i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == name })
	if i < 0 {
		return ""
	}
	if variable := ofProcess(flags[i]); variable != "" {
		return variable + ": "
	}
	if v, ok := e.ofFile(flags[i]); ok {
		return e.at(v) + ": "
	}
	return ""
}

// variables returns the names of all variables that set flags of a program and its commands, and all flags.
func variables(node *kong.Node) (names, flags []string) {
	for _, f := range node.Flags {
		names = append(names, f.Envs...)
		flags = append(flags, "--"+f.Name)
	}
	for _, child := range node.Children {
		n, f := variables(child)
		names, flags = append(names, n...), append(flags, f...)
	}
	return names, flags
}

// nearest returns which of the words somebody may have meant by this one; empty: none is near.
func nearest(word string, words []string) (meant string) {
	least := 1 + min(len(strings.TrimPrefix(word, variablePrefix))/2, 4) // of few letters half may be wrong
	for _, w := range words {
		if far := levenshtein.ComputeDistance(word, w); far < least {
			meant, least = w, far
		}
	}
	return meant
}
