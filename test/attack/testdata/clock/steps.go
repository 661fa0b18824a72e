package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	_ "unsafe" // for go:linkname
)

// clockGettime is the kernel's clock_gettime (vdso(7)), by which the runtime learns all times.
//
//go:linkname clockGettime runtime.vdsoClockgettimeSym
var clockGettime uintptr

// The assembly reads these: the kernel's clock_gettime, and by how many seconds the wall clock is stepped.
var (
	kernels uintptr
	offset  int64
)

// address returns where stepped is, which is clockGettime with the offset.
func address() uintptr

// init makes SIGUSR1 step the wall clock an hour forwards, and SIGUSR2 an hour backwards. Each step is logged.
func init() {
	if kernels = clockGettime; kernels == 0 {
		fmt.Fprintln(os.Stderr, "the kernel has no vDSO")
		os.Exit(77)
	}
	clockGettime = address()
	steps := make(chan os.Signal, 8)
	signal.Notify(steps, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for step := range steps {
			hour := int64(time.Hour / time.Second)
			if step == syscall.SIGUSR2 {
				hour = -hour
			}
			began := time.Now()
			atomic.AddInt64(&offset, hour)
			now := time.Now()
			fmt.Fprintf(os.Stderr, "stepped=%v since=%v\n", now.Round(0).Sub(began.Round(0)).Round(time.Hour), now.Sub(began).Round(time.Hour))
		}
	}()
}
