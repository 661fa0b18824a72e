package certificate_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signal-server/app/certificate"
	"signal-server/test/synctime"
)

const look = certificate.LookEvery

// running opens and runs a source of files with the certificate 1, in virtual time, and calls f just after a look.
func running(t *testing.T, f func(t *testing.T, d disk, source certificate.Source, j *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d, j := newDisk(t), new(journal)
		d.write(t, certify(t, 1, 90*day))
		source := open(t, d.config(), j)
		start(t, source)
		synctime.Pass(look + look/2)
		j.wants(t, "at start")
		f(t, d, source, j)
	})
}

const (
	taken   = "a new certificate is in use"
	refused = "the new certificate is not taken: the one before goes on"
)

// TestChange replaces the pair. It is served after the second look that finds it, since the two files are not written at the same moment.
func TestChange(t *testing.T) {
	running(t, func(t *testing.T, d disk, source certificate.Source, j *journal) {
		for serial := int64(2); serial < 5; serial++ {
			d.write(t, certify(t, serial, 90*day))
			synctime.Pass(look)
			serves(t, "seen once", source, serial-1)
			j.wants(t, "seen once")
			synctime.Pass(look)
			serves(t, "seen twice", source, serial)
			j.wants(t, "seen twice", taken)
			synctime.Pass(100 * look)
			j.wants(t, "and then")
		}
	})
}

// TestChangeThatIsUnderWay tries all that may be on the disk while a pair is replaced, for a moment and for long. The old pair is served
// until there is a whole new one. If that takes too long the log says so, once.
func TestChangeThatIsUnderWay(t *testing.T) {
	for name, between := range map[string]func(t *testing.T, d disk, old, fresh pair){
		"the certificate is new, the key is not": func(t *testing.T, d disk, _, fresh pair) { put(t, d.cert, fresh.cert) },
		"the key is new, the certificate is not": func(t *testing.T, d disk, _, fresh pair) { put(t, d.key, fresh.key) },
		"half a certificate":                     func(t *testing.T, d disk, _, fresh pair) { put(t, d.cert, fresh.cert[:len(fresh.cert)/2]) },
		"half a key": func(t *testing.T, d disk, _, fresh pair) {
			d.write(t, pair{fresh.cert, fresh.key[:len(fresh.key)/2]})
		},
		"an empty certificate":     func(t *testing.T, d disk, _, _ pair) { put(t, d.cert, nil) },
		"an empty key":             func(t *testing.T, d disk, _, _ pair) { put(t, d.key, nil) },
		"two empty files":          func(t *testing.T, d disk, _, _ pair) { d.write(t, pair{}) },
		"no certificate":           func(t *testing.T, d disk, _, _ pair) { remove(t, d.cert) },
		"no key":                   func(t *testing.T, d disk, _, _ pair) { remove(t, d.key) },
		"no files":                 func(t *testing.T, d disk, _, _ pair) { remove(t, d.cert); remove(t, d.key) },
		"a certificate too long":   func(t *testing.T, d disk, old, _ pair) { put(t, d.cert, padded(old.cert, certificate.MaxFile+1)) },
		"what has nothing to do":   func(t *testing.T, d disk, _, _ pair) { d.write(t, pair{[]byte("cert"), []byte("key")}) },
		"a key in the certificate": func(t *testing.T, d disk, old, _ pair) { d.write(t, pair{old.key, old.cert}) },
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(t *testing.T, d disk, source certificate.Source, j *journal) {
				old, fresh := read(t, d), certify(t, 2, 90*day)

				between(t, d, old, fresh)
				synctime.Pass(look)
				serves(t, "for a moment", source, 1)
				d.write(t, fresh)
				synctime.Pass(2 * look)
				serves(t, "whole after a moment", source, 2)
				j.wants(t, "whole after a moment", taken)

				old, fresh = fresh, certify(t, 3, 90*day)
				between(t, d, old, fresh)
				synctime.Pass(100 * look)
				serves(t, "for long", source, 2)
				j.wants(t, "for long", refused)
				d.write(t, fresh)
				synctime.Pass(2 * look)
				serves(t, "whole after long", source, 3)
				j.wants(t, "whole after long", taken)

				between(t, d, fresh, certify(t, 4, 90*day))
				synctime.Pass(100 * look)
				j.Drain()
				d.write(t, fresh)
				synctime.Pass(100 * look)
				serves(t, "taken back", source, 3)
				j.wants(t, "taken back")
			})
		})
	}
}

func read(t *testing.T, d disk) pair {
	t.Helper()
	return pair{cert: content(t, d.cert), key: content(t, d.key)}
}

// TestWrittenSlowly lets a new pair grow on the disk over many looks. The log says nothing while the files change all the time.
func TestWrittenSlowly(t *testing.T) {
	running(t, func(t *testing.T, d disk, source certificate.Source, j *journal) {
		fresh := certify(t, 2, 90*day)
		for n := 0; n < len(fresh.cert); n += 20 {
			put(t, d.cert, fresh.cert[:n])
			synctime.Pass(look)
		}
		put(t, d.cert, fresh.cert)
		for n := 0; n < len(fresh.key); n += 20 {
			put(t, d.key, fresh.key[:n])
			synctime.Pass(look)
		}
		serves(t, "under way", source, 1)
		j.wants(t, "under way")
		put(t, d.key, fresh.key)
		synctime.Pass(2 * look)
		serves(t, "whole", source, 2)
		j.wants(t, "whole", taken)
	})
}

// TestReload checks that Reload reads the files at once, and changes nothing if they are no pair.
func TestReload(t *testing.T) {
	running(t, func(t *testing.T, d disk, source certificate.Source, j *journal) {
		if !source.IsFor(name) || source.IsFor("x."+name) || source.IsFor("") {
			t.Error("it is for others than " + name)
		}
		for name, p := range map[string]pair{
			"two that do not fit": {certify(t, 2, day).cert, certify(t, 3, day).key}, "empty": {}, "half": {read(t, d).cert[:100], read(t, d).key},
		} {
			d.write(t, p)
			if err := source.Reload(); err == nil || !strings.Contains(err.Error(), d.cert) {
				t.Errorf("%s: got %v, want an error that names %s", name, err, d.cert)
			}
			serves(t, name, source, 1)
		}
		remove(t, d.key)
		if err := source.Reload(); err == nil || !strings.Contains(err.Error(), d.key) {
			t.Errorf("no key: got %v, want an error that names %s", err, d.key)
		}
		serves(t, "no key", source, 1)
		d.write(t, certify(t, 4, 90*day))
		if err := source.Reload(); err != nil {
			t.Errorf("mended: got %v, want nil", err)
		}
		serves(t, "mended", source, 4)
		synctime.Pass(100 * look)
		serves(t, "and then", source, 4)
		j.wants(t, "what was read again is not news to who looks")
	})
}

// TestWarnings lets a certificate of three days reach its end while it is served. The log says so every six hours, and of a new certificate
// at once. All are served on.
func TestWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = certificate.WarnEvery
		d, j := newDisk(t), new(journal)
		now := time.Now()
		d.write(t, certifyFrom(t, 1, now.Add(2*every-3*day), now.Add(2*every)))
		source := open(t, d.config(), j)
		j.wants(t, "half of the time to renew it in is left")
		start(t, source)
		synctime.Pass(every)
		j.wants(t, "less is left", "the certificate expires soon, and was not renewed")
		for range 2 {
			synctime.Pass(every)
			j.wants(t, "nothing is left", "the certificate has expired")
		}
		serves(t, "expired", source, 1)
		d.write(t, certifyFrom(t, 2, time.Now().Add(every+2*look), time.Now().Add(90*day)))
		synctime.Pass(2 * look)
		j.wants(t, "one for later", taken, "the certificate is not valid yet")
		synctime.Pass(every - 2*look)
		j.wants(t, "later", "the certificate is not valid yet")
		synctime.Pass(every)
		j.wants(t, "valid")
		serves(t, "valid", source, 2)
	})
}

// TestRunEnds checks that Run returns when its context ends, and that the pair that was read last is served on.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, j := newDisk(t), new(journal)
		d.write(t, certify(t, 1, day))
		source := open(t, d.config(), j)
		stop := start(t, source)
		synctime.Pass(look)
		stop()
		d.write(t, certify(t, 2, day))
		synctime.Pass(100 * look)
		serves(t, "afterwards", source, 1)
	})
}
