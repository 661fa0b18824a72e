package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// grown returns a run of an hour in which each figure goes from 1000 to so many times that, faster and faster.
func grown(times float64) *result {
	r := &result{lasted: time.Hour}
	cpu := time.Duration(0)
	for i := range 240 {
		at := float64(i) / 239
		now := 1000 * (1 + (times-1)*at*at)
		cpu += time.Duration(now * 15e6)
		took := time.Duration(now * 1e6)
		r.samples = append(r.samples, sample{
			at: time.Duration(i+1) * 15 * time.Second, goroutines: now, connections: now, descriptors: now, resident: now * 1e6, cpu: cpu, took: []time.Duration{took},
		})
	}
	return r
}

// TestVerdict checks that the verdict names each figure that grows, and no other.
func TestVerdict(t *testing.T) {
	if err := grown(1).verdict(); err != nil {
		t.Errorf("nothing grows: got %v, want nil", err)
	}
	err := grown(10).verdict()
	if err == nil {
		t.Fatal("all grows: got nil, want each figure named")
	}
	for _, f := range figures {
		if !strings.Contains(err.Error(), f.name+": got") {
			t.Errorf("all grows: got %v, want %s in it", err, f.name)
		}
	}
	short := grown(10)
	short.lasted = time.Minute
	if err := short.verdict(); err == nil || strings.Contains(err.Error(), "CPU") || !strings.Contains(err.Error(), "goroutines") {
		t.Errorf("all grows in a minute: got %v, want what no clock measures", err)
	}
}

func TestDrawing(t *testing.T) {
	for d := xml.NewDecoder(strings.NewReader(drawing(grown(2).samples))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
