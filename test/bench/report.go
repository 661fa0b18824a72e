package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// report is what was measured, in the order in which it was.
type report struct {
	bars   []bar
	tables []table
	charts []chart
}

// table is a part of the page.
type table struct {
	title, text string
	columns     []string
	rows        [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// bar is a figure with its limit.
type bar struct {
	name       string
	got        series
	decimals   int
	limit, aim float64 // aim 0: none beyond the limit
	atLeast    bool    // the limit is one from below
}

func (b *bar) met() bool {
	if b.atLeast {
		return b.got.median() >= b.limit
	}
	return b.got.median() <= b.limit
}

func (b *bar) sign() string {
	if b.atLeast {
		return "≥"
	}
	return "≤"
}

func (b *bar) hope() string {
	if b.aim == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f", b.decimals, b.aim)
}

func (b *bar) verdict() string {
	if b.met() {
		return "met"
	}
	return "**not met**"
}

func (r *report) add(t table)  { r.tables = append(r.tables, t) }
func (r *report) draw(c chart) { r.charts = append(r.charts, c) }

// bar adds a figure that must be limit at the most.
func (r *report) bar(name string, got series, decimals int, limit, aim float64) {
	r.bars = append(r.bars, bar{name: name, got: got, decimals: decimals, limit: limit, aim: aim})
}

func (r *report) barTable() table {
	t := table{
		title:   "Bars",
		text:    "What this server is held to. Median (least–most) over the rounds.",
		columns: []string{"figure", "measured", "bar", "aim", ""},
	}
	for _, b := range r.bars {
		t.add(b.name, b.got.span(b.decimals), fmt.Sprintf("%s %.*f", b.sign(), b.decimals, b.limit),
			b.hope(), b.verdict())
	}
	return t
}

// print writes what was measured so far as plain tables.
func (r *report) print(w io.Writer) {
	tables := r.tables
	if len(r.bars) > 0 {
		tables = append(tables, r.barTable())
	}
	for _, t := range tables {
		t.write(w)
	}
}

func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "\n## %s\n\n%s\n\n", t.title, t.text)
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}

// write writes benchmarks.md and benchmarks.svg to the directory.
func (r *report) write(dir, conditions string) error {
	var page strings.Builder
	page.WriteString("# Benchmarks\n\n<!-- Written by make bench (go -C test/bench run .). Do not edit. -->\n\n" +
		"![The figures as bars](benchmarks.svg)\n\n" + conditions + "\n")
	for _, t := range append([]table{r.barTable()}, r.tables...) {
		t.write(&page)
	}
	if err := os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(page.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.svg"), []byte(drawing(r.charts)), 0o644)
}
