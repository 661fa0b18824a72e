package main

import (
	"bytes"
	"fmt"
	"time"
)

// A side is one peer's part of a handshake: what it asks for, one request after the other, on a connection of its own. The
// offerer and the answerer of a handshake run at the same time. A side is done when it has all of the other's payloads.
type side func(l *line, key string) error

// pollPause is how long a peer that polls pauses after an empty answer. A long pause makes few empty polls and a slow handshake.
const pollPause = 10 * time.Millisecond

// offerMessages and answerMessages are the messages flow: three requests in all.
func offerMessages(l *line, key string) error {
	l.body = appendPost(l.body[:0], key, "offer")
	l.want = appendNews(l.want[:0], key, "answer")
	return l.expect("POST", "/offer/messages?wait=20", key, l.body, l.want)
}

// offerMessagesAndEnd is offerMessages, and then ends the session. It may: the answerer writes its last message before the offerer has
// its answer.
func offerMessagesAndEnd(l *line, key string) error {
	if err := offerMessages(l, key); err != nil {
		return err
	}
	return l.expect("DELETE", "/session", key, nil, []byte(done))
}

func answerMessages(l *line, key string) error {
	l.want = appendNews(l.want[:0], key, "offer")
	got, err := l.fetch("GET", "/answer/messages?wait=20", key, nil, l.want)
	if err != nil {
		return err
	}
	_, cursor, _ := bytes.Cut(got, []byte(`"next":"`))
	cursor, _, _ = bytes.Cut(cursor, []byte(`"`))
	target := "/answer/messages?after=" + string(cursor)
	l.body = appendPost(l.body[:0], key, "answer")
	return l.expect("POST", target, key, l.body, []byte(noNews))
}

// classic returns a side that uses the classic endpoints, one payload a request, and reads with that query.
func classic(role, query string) side {
	return func(l *line, key string) error {
		other := otherRole(role)
		write := func() error {
			if err := l.putSDP(role, key); err != nil {
				return err
			}
			for n := 1; n <= candidatesASide; n++ {
				l.body = short(key, role, n).appendText(l.body[:0])
				if err := l.expect("POST", "/"+role+"/candidate", key, l.body, []byte(done)); err != nil {
					return err
				}
			}
			return nil
		}
		read := func() error {
			for n := 1; n <= candidatesASide; n++ {
				l.want = appendOne(l.want[:0], short(key, other, n))
				if err := l.poll("/"+role+"/candidate"+query, key, l.want); err != nil {
					return err
				}
			}
			return nil
		}
		readSDP := func() error {
			l.want = appendOne(l.want[:0], sdp(key, other))
			return l.poll("/"+role+"/sdp"+query, key, l.want)
		}
		return inOrder(role, write, readSDP, read)
	}
}

// classicArrays returns a side that uses the classic endpoints with all candidates in one request, and waits.
func classicArrays(role string) side {
	return func(l *line, key string) error {
		other := otherRole(role)
		write := func() error {
			if err := l.putSDP(role, key); err != nil {
				return err
			}
			l.body = appendStrings(l.body[:0], candidatesASide, func(n int) payload { return short(key, role, n) })
			return l.expect("POST", "/"+role+"/candidates", key, l.body, []byte(done))
		}
		readSDP := func() error {
			l.want = appendOne(l.want[:0], sdp(key, other))
			return l.poll("/"+role+"/sdp?wait=20", key, l.want)
		}
		read := func() error {
			l.want = appendAll(l.want[:0], key, other)
			return l.poll("/"+role+"/candidates?wait=20", key, l.want)
		}
		return inOrder(role, write, readSDP, read)
	}
}

// inOrder calls a peer's three steps in the order of its role: the answerer needs the offer before it can write.
func inOrder(role string, write, readSDP, readCandidates func() error) error {
	steps := [...]func() error{write, readSDP, readCandidates}
	if role == "answer" {
		steps[0], steps[1] = readSDP, write
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (l *line) putSDP(role, key string) error {
	if role == "offer" {
		l.body = appendOffer(l.body[:0], key)
	} else {
		l.body = sdp(key, role).appendText(l.body[:0])
	}
	return l.expect("POST", "/"+role+"/sdp", key, l.body, []byte(done))
}

// poll asks until there is something, and checks it.
func (l *line) poll(target, key string, want []byte) error {
	for {
		l.out = appendRequest(l.out[:0], "GET", target, key, nil)
		got, err := l.ask(l.out)
		if err != nil {
			return err
		}
		switch string(got) {
		case nothing, noSDP, noSession:
			l.faults.checked.Add(1)
			time.Sleep(pollPause)
			continue
		}
		if !l.faults.check(got, want, key) {
			return fmt.Errorf("%s: %w", target, l.faults.err())
		}
		return nil
	}
}
