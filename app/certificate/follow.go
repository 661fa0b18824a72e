package certificate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/units"
)

// maxFile bounds a file, in bytes: a chain of three certificates with RSA keys has about 6 KiB.
const maxFile = 1 << 20

// readBounded returns what the file holds. what tells people what it is.
func readBounded(what, path string) (string, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names it
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if len(content) > maxFile {
		return "", fmt.Errorf("%s: %s has more than %v", what, path, units.Base2Bytes(maxFile))
	}
	return string(content), nil
}

// followed is what files hold, a T, and what is made of that, a V. Its methods may be called concurrently.
type followed[T comparable, V any] struct {
	// set at construction
	read  func() (T, error)
	parse func(T) (*V, error)

	// atomic
	current atomic.Pointer[V] // nil: nothing was installed yet

	mu sync.Mutex
	// guarded by mu
	installed T // current was made of it
}

// open reads the files and installs what they hold.
func (f *followed[T, V]) open() error {
	install, err := f.prepare()
	if err != nil {
		return err
	}
	install()
	return nil
}

// prepare reads the files. install makes what they held the current one.
func (f *followed[T, V]) prepare() (install func(), err error) {
	content, err := f.read()
	if err != nil {
		return nil, err
	}
	value, err := f.parse(content)
	if err != nil {
		return nil, err
	}
	return func() { f.install(content, value) }, nil
}

func (f *followed[T, V]) install(content T, value *V) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.installed = content
	f.current.Store(value)
}

func (f *followed[T, V]) isInstalled(content T) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.installed == content
}

// lookEvery is the time between two looks at the files. A look reads a few KiB. It compares what the files hold, not their times: copies
// keep times, and Kubernetes swaps links.
const lookEvery = 2 * time.Second

// looked is what a look at files has found.
type looked[T comparable] struct {
	other   bool // the files are not what is installed
	content T
	unread  string // why the files could not be read, or ""
	settled bool   // the look before found the same, and the caller was told what is wrong with it
}

// look compares the files with what is installed, and with what the look before found. It installs what two looks have found: nobody
// writes a file, or the two of a pair, at one moment. taken is true if it did. It returns once what is wrong with files that stay as they are.
func (f *followed[T, V]) look(before looked[T]) (now looked[T], taken bool, err error) {
	now.content, err = f.read()
	if err != nil {
		now.unread = err.Error()
	} else if f.isInstalled(now.content) {
		return looked[T]{}, false, nil
	}
	now.other = true
	if !before.other || now.unread != before.unread || now.content != before.content {
		return now, false, nil
	}
	if now.settled = true; before.settled {
		return now, false, nil
	}
	if err != nil {
		return now, false, err
	}
	value, err := f.parse(now.content)
	if err != nil {
		return now, false, err
	}
	f.install(now.content, value)
	return looked[T]{}, true, nil
}

// reloadAll makes current what the files of all hold, or nothing if any of them is wrong.
func reloadAll(all ...interface{ prepare() (func(), error) }) error {
	var errs []error
	var installs []func()
	for _, one := range all {
		install, err := one.prepare()
		errs, installs = append(errs, err), append(installs, install)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, install := range installs {
		install()
	}
	return nil
}
