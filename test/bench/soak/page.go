package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// print writes the figures as a table.
func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "| | second quarter | last quarter | limit | |\n|---|---|---|---|---|\n")
	for _, f := range figures {
		second, last := f.of(quarter(r.samples, 2)), f.of(quarter(r.samples, 4))
		verdict := "flat"
		switch {
		case !r.judges(f):
			verdict = "not judged"
		case last > f.limit(second):
			verdict = "**not flat**"
		}
		unit := ""
		if f.unit != "" {
			unit = ", " + f.unit
		}
		fmt.Fprintf(w, "| %s%s | %.*f | %.*f | %.*f | %s |\n", f.name, unit, f.decimals, second, f.decimals, last,
			f.decimals, f.limit(second), verdict)
	}
	fmt.Fprintf(w, "\n%d requests, %d handshakes and %d deaths of the load, %d of its clients came back and missed nothing; %d handshakes beside it.\n",
		r.load.requests, r.load.handshakes, r.load.deaths, r.load.recoveries, r.load.probes)
	fmt.Fprintf(w, "%d clients vanished beside it, and each of the %d that could still see it saw the server close its connection.\n",
		r.load.vanished, r.load.freed)
	fmt.Fprintf(w, "Before the load: %v. After it: %v.\n", r.before, r.after)
}

// write writes soak.md and soak.svg to the directory.
func (r *result) write(dir string) error {
	var page strings.Builder
	fmt.Fprintf(&page, "# Soak\n\n<!-- Written by make soak (go -C test/bench run ./soak). Do not edit. -->\n\n![The run as lines](soak.svg)\n\n"+
		"A server with its defaults under load for %v, on a machine with %d cores that did other things besides; %s. The load is `k6/soak.js`: %d "+
		"sessions a second, half as many at low tide and half more at high; one in five has a client that dies, in the middle of a wait: it comes "+
		"back and asks again, or never does. k6 checks every payload. Beside it this program makes a handshake every %v, one after the "+
		"other, and takes its time: four requests and the DELETE. And %d clients a second connect to keep the connection after a request, to wait, or to read a "+
		"stream, for 0.1 to %.0f s; most of them then vanish: by RST, by FIN, or by a FIN of their own side alone. The first quarter is for warming up.\n\n",
		r.lasted.Round(time.Second), runtime.NumCPU(), runtime.Version(), r.rate, pace, r.vanish, longest.Seconds())
	r.print(&page)
	page.WriteString("\nThe limit is stated in [its source](../test/bench/soak/sample.go), figure by figure. Memory is what is resident. After the load " +
		"the server must have no more goroutines, connections and descriptors than before it.\n")
	if err := os.WriteFile(filepath.Join(dir, "soak.md"), []byte(page.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "soak.svg"), []byte(drawing(r.samples)), 0o644)
}
