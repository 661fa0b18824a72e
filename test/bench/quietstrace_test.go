package main

import (
	"maps"
	"slices"
	"testing"
)

func TestCallCounts(t *testing.T) {
	got, err := callCounts(`% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.20    0.012345           2      5230      2230 read
 38.80    0.007827           2      3000           write
------ ----------- ----------- --------- --------- ----------------
100.00    0.020172           2      8230      2230 total
`)
	if want := map[string]int{"read": 5230, "write": 3000}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := callCounts("strace: Process 7 detached\n"); err == nil {
		t.Errorf("no summary: got %v, want an error", got)
	}
}

// TestWindows checks what is counted of a hand-off, and of a plain POST, while other threads do other things.
func TestWindows(t *testing.T) {
	calls := callsOf(`11 epoll_pwait(6,  <unfinished ...>
12 read(9,  <unfinished ...>
13 futex(0x1, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>
12 <... read resumed>"POST /offer/candidate HTTP/1.1\r\nkey: read\r\n\r\n", 4096) = 40
12 futex(0x1, FUTEX_WAKE_PRIVATE, 1) = 1
13 <... futex resumed>)              = 0
14 nanosleep({tv_sec=0, tv_nsec=3000}, NULL) = 0
13 write(40, "HTTP/1.1 200 OK\r\n\r\nnews" <unfinished ...>
12 write(9, "HTTP/1.1 200 OK\r\n\r\n", 20) = 20
13 <... write resumed>)              = 24
13 read(40, 0x1, 8192)               = -1 EAGAIN (Resource temporarily unavailable)
12 --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL} ---
12 read(9, "POST /offer/candidate HTTP/1.1\r\nkey: unread\r\n\r\n", 4096) = 42
12 write(9, "HTTP/1.1 200 OK\r\n\r\n", 20) = 20
11 <... epoll_pwait resumed>[], 128, 228, NULL, 0) = 0
`)
	news, plain, err := windowsOf(calls, "unread")
	if err != nil {
		t.Fatal(err)
	}
	if want := (series{2}); !slices.Equal(news.calls, want) {
		t.Errorf("a hand-off: got %v calls, want %v", news.calls, want)
	}
	if want := (series{1}); !slices.Equal(news.futexes, want) {
		t.Errorf("a hand-off: got %v futex calls, want %v", news.futexes, want)
	}
	if got, want := news.typical(2), "futex, write"; got != want {
		t.Errorf("a hand-off: got %s, want %s", got, want)
	}
	if want := (series{1}); !slices.Equal(plain.calls, want) {
		t.Errorf("a plain POST: got %v calls, want %v", plain.calls, want)
	}
	if _, _, err := windowsOf(calls[:3], "unread"); err == nil {
		t.Error("no POST: got nil, want an error")
	}
}
