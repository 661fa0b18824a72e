package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// chart is a group of horizontal bars to one scale, from 0.
type chart struct {
	title    string
	decimals int
	line     float64 // where a line is drawn that bars are compared with; 0: none
	rows     []chartRow
}

type chartRow struct {
	name string
	got  series
	own  bool // of this server, in its colour
}

func (c *chart) add(name string, got series, own bool) {
	c.rows = append(c.rows, chartRow{name, got, own})
}

// The drawing's measures, in pixels of a page that is as wide as a README.
const (
	drawingWidth = 840
	namesWidth   = 300
	valuesWidth  = 70
	barsWidth    = drawingWidth - namesWidth - valuesWidth
	rowHeight    = 24
	barHeight    = 14
	titleHeight  = 44
)

// drawingHead sets colours that can be read on a light and on a dark page.
const drawingHead = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="Benchmarks">
<style>
	text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
	.title { font-weight: 600; font-size: 15px; }
	.own { fill: #1a7f37; }
	.other { fill: #8c959f; }
	.span, .line { stroke: #1f2328; stroke-width: 1; }
	.line { stroke-dasharray: 4 3; }
	@media (prefers-color-scheme: dark) {
		text { fill: #e6edf3; }
		.own { fill: #3fb950; }
		.other { fill: #6e7681; }
		.span, .line { stroke: #e6edf3; }
	}
</style>
`

// drawing returns the charts below each other as an SVG that needs nothing from outside. Bars are medians; the thin line on
// each goes from the least to the most.
func drawing(charts []chart) string {
	var b strings.Builder
	y := 0
	for i := range charts {
		y = charts[i].draw(&b, y)
	}
	return fmt.Sprintf(drawingHead, drawingWidth, y+rowHeight/2) + b.String() + "</svg>\n"
}

// draw draws the chart below y and returns where it ends.
func (c *chart) draw(b *strings.Builder, y int) int {
	most := c.line
	for _, row := range c.rows {
		most = max(most, slices.Max(row.got))
	}
	x := func(v float64) float64 { return namesWidth + barsWidth*v/most }
	fmt.Fprintf(b, "<text class=\"title\" x=\"0\" y=\"%d\">%s</text>\n", y+30, html.EscapeString(c.title))
	y += titleHeight
	top := y
	for _, row := range c.rows {
		class, middle := "other", y+rowHeight/2
		if row.own {
			class = "own"
		}
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", namesWidth-8, middle+4, html.EscapeString(row.name))
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n",
			class, namesWidth, middle-barHeight/2, x(row.got.median())-namesWidth, barHeight)
		fmt.Fprintf(b, "<path class=\"span\" d=\"M%.1f %dH%.1f\"/>\n", x(slices.Min(row.got)), middle, x(slices.Max(row.got)))
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\">%.*f</text>\n",
			x(slices.Max(row.got))+6, middle+4, c.decimals, row.got.median())
		y += rowHeight
	}
	if c.line > 0 {
		fmt.Fprintf(b, "<path class=\"line\" d=\"M%.1f %dV%d\"/>\n", x(c.line), top, y)
	}
	return y
}
