package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// countsInstructions reports whether valgrind is installed.
func countsInstructions() bool {
	_, err := exec.LookPath("valgrind")
	return err == nil
}

var callgrindSays = regexp.MustCompile(`Collected : (\d+)`)

// instructions returns how many instructions each of some units of work takes a child of this program, in user mode, whose arguments are
// those of serve. Callgrind counts them, so neither the machine nor its load matters. It counts twice, the second time with twice the units:
// the start of the child is not in the difference.
func instructions(ctx context.Context, units int, args func(units int) []string) (float64, error) {
	var counted [2]float64
	for i := range counted {
		cmd := exec.CommandContext(ctx, "valgrind", append([]string{
			"--tool=callgrind", "--callgrind-out-file=/dev/null", executable(), "serve",
		}, args((i+1)*units)...)...)
		// Callgrind fails at a signal that comes in the middle of a function; and threads that look for work add what differs from run to run.
		cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
		found := callgrindSays.FindSubmatch(out)
		if found == nil {
			return 0, fmt.Errorf("%s says no number of instructions:\n%s", cmd, out)
		}
		if counted[i], err = strconv.ParseFloat(string(found[1]), 64); err != nil {
			return 0, err
		}
	}
	return (counted[1] - counted[0]) / float64(units), nil
}

// withoutValgrind stands where a number of instructions would.
const withoutValgrind = "valgrind is not installed"
