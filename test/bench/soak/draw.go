package main

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// The drawing's measures, in pixels of a page that is as wide as a README.
const (
	drawingWidth = 840
	namesWidth   = 170
	lineWidth    = drawingWidth - namesWidth
	lineHeight   = 70 // of one figure, from 0 to its most
	between      = 24 // two figures
	axisHeight   = 30
	points       = 60 // of a line: a soak does not look for what lasts less than a minute of its hour
)

// drawingHead sets colours that can be read on a light and on a dark page.
const drawingHead = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="Soak">
<style>
	text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
	.line { fill: none; stroke: #1a7f37; stroke-width: 1.5; }
	.axis { stroke: #8c959f; stroke-width: 1; }
	.quarter { stroke: #8c959f; stroke-width: 1; stroke-dasharray: 4 3; }
	@media (prefers-color-scheme: dark) {
		text { fill: #e6edf3; }
		.line { stroke: #3fb950; }
		.axis, .quarter { stroke: #6e7681; }
	}
</style>
`

// drawing returns the figures over time below each other, each from 0, as an SVG that needs nothing from outside.
func drawing(samples []sample) string {
	var b strings.Builder
	y := between / 2
	for i := range figures {
		figures[i].draw(&b, samples, y)
		y += lineHeight + between
	}
	for n := range 5 {
		x := namesWidth + lineWidth*n/4
		if n > 0 && n < 4 {
			fmt.Fprintf(&b, "<path class=\"quarter\" d=\"M%d %dV%d\"/>\n", x, between/2, y-between)
		}
		at := (samples[len(samples)-1].at * time.Duration(n) / 4).Round(time.Minute)
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.0f min</text>\n", x, y, [...]string{"start", "middle", "middle", "middle", "end"}[n],
			at.Minutes())
	}
	return fmt.Sprintf(drawingHead, drawingWidth, y+axisHeight/2) + b.String() + "</svg>\n"
}

// draw draws the figure below y.
func (f *figure) draw(b *strings.Builder, samples []sample, y int) {
	n := min(points, len(samples)/2)
	values, most := make([]float64, n), 0.0
	for i := range values {
		values[i] = f.of(samples[len(samples)*i/n : len(samples)*(i+1)/n])
		most = max(most, values[i])
	}
	if most == 0 {
		most = 1
	}
	title := f.name
	if f.unit != "" {
		title += ", " + f.unit
	}
	fmt.Fprintf(b, "<text x=\"0\" y=\"%d\">%s</text>\n", y+lineHeight, html.EscapeString(title))
	fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.*f</text>\n", namesWidth-8, y+10, f.decimals, most)
	fmt.Fprintf(b, "<path class=\"axis\" d=\"M%d %dH%d\"/>\n<path class=\"line\" d=\"", namesWidth, y+lineHeight, drawingWidth)
	for i, value := range values {
		command := 'L'
		if i == 0 {
			command = 'M'
		}
		fmt.Fprintf(b, "%c%.1f %.1f", command, namesWidth+lineWidth*(float64(i)+0.5)/float64(n), float64(y)+lineHeight*(1-value/most))
	}
	b.WriteString("\"/>\n")
}
