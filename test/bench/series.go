package main

import (
	"fmt"
	"slices"
)

// series is one figure, once for each round.
type series []float64

func (s series) median() float64 { return s.quantile(0.5) }

// quantile returns the value below which that part of the series lies, between its two neighbours where it falls between.
func (s series) quantile(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// over returns the ratio of each round.
func (s series) over(base series) series {
	ratios := make(series, min(len(s), len(base)))
	for i := range ratios {
		ratios[i] = s[i] / base[i]
	}
	return ratios
}

// span writes median, least and most, all with that many decimals.
func (s series) span(decimals int) string {
	if len(s) == 0 {
		return "–"
	}
	if len(s) == 1 {
		return fmt.Sprintf("%.*f", decimals, s[0])
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", decimals, s.median(), decimals, slices.Min(s), decimals, slices.Max(s))
}
