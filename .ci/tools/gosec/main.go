// Command gosec looks for security mistakes in Go code. It is github.com/securego/gosec/v2 without its own command, whose clients of
// language models take three minutes to build. What it is wrong about in one place has a comment there: #nosec, the rule, and why.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/securego/gosec/v2/goanalysis"
	"golang.org/x/tools/go/analysis/singlechecker"
)

// excluded are the rules that are wrong about this code as a whole.
var excluded = []string{
	"G103", // unsafe: it has a file of its own in each package, and a sentence beside it on how long the bytes live
	"G104", // errors that are not handled: closing, and last words to somebody who may have gone; staticcheck sees the others
	"G115", // conversions of integers: of sizes and counts that Config.Validate bounds, and of hashes, which are meant to be cut
}

func main() {
	if err := goanalysis.Analyzer.Flags.Set("exclude", strings.Join(excluded, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "BUG:", err)
		os.Exit(2)
	}
	singlechecker.Main(goanalysis.Analyzer)
}
