package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// cores are where processes run: every server on one core, the load on another. On a machine with a single core they are the same.
type cores struct {
	server, load, all unix.CPUSet
	count             int // in all
}

// findCores returns the first two cores that this process may use.
func findCores() (cores, error) {
	var c cores
	if err := unix.SchedGetaffinity(0, &c.all); err != nil {
		return c, fmt.Errorf("the cores of this process: %w", err)
	}
	var found []int
	for i := 0; len(found) < c.all.Count(); i++ {
		if c.all.IsSet(i) {
			found = append(found, i)
		}
	}
	c.count = len(found)
	c.server.Set(found[0])
	c.load.Set(found[min(1, len(found)-1)])
	return c, nil
}

// pin moves this process to the load's core. Threads that come later inherit it.
func (c *cores) pin() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &c.load); err != nil {
			return fmt.Errorf("pinning the load: %w", err)
		}
	}
	runtime.GOMAXPROCS(1)
	return nil
}

// startOn starts the command with all its threads on the given cores: a process inherits those of the thread that forks it.
func startOn(on *unix.CPUSet, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, on); err != nil {
		return err
	}
	err := cmd.Start()
	if e := unix.SchedSetaffinity(0, &own); e != nil {
		return e
	}
	return err
}
