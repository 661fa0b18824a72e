package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// redisConn is a connection to a Redis that sends prepared commands, like conn, and does no more than that. RESP is described
// at https://redis.io/docs/latest/develop/reference/protocol-spec/.
type redisConn struct {
	*socket
	in []byte
}

func (b *bench) dialRedis(address string) (*redisConn, error) {
	s, err := b.poller.dial(address)
	if err != nil {
		return nil, err
	}
	return &redisConn{socket: s}, nil
}

// appendCommand appends a command as clients send it.
func appendCommand(dst []byte, args ...string) []byte {
	dst = append(strconv.AppendInt(append(dst, '*'), int64(len(args)), 10), "\r\n"...)
	for _, arg := range args {
		dst = appendBulk(dst, arg)
	}
	return dst
}

// appendBulk appends a string, in a command or in an answer.
func appendBulk(dst []byte, text string) []byte {
	dst = append(strconv.AppendInt(append(dst, '$'), int64(len(text)), 10), "\r\n"...)
	return append(append(dst, text...), "\r\n"...)
}

// do sends a command whose answer is one text, and returns that.
func (c *redisConn) do(args ...string) (string, error) {
	if _, err := c.Write(appendCommand(nil, args...)); err != nil {
		return "", err
	}
	head, err := c.line()
	if err != nil {
		return "", err
	}
	if head[0] != '$' {
		if head[0] == '-' {
			err = fmt.Errorf("%s: %s", args[0], head)
		}
		return head[1:], err
	}
	size, err := strconv.Atoi(head[1:])
	if err != nil {
		return "", err
	}
	text := make([]byte, size+len("\r\n"))
	n := copy(text, c.in)
	c.in = c.in[n:]
	_, err = io.ReadFull(c.socket, text[n:])
	return string(text[:size]), err
}

// line returns what comes up to the next CRLF.
func (c *redisConn) line() (string, error) {
	for {
		if line, rest, found := bytes.Cut(c.in, []byte("\r\n")); found && len(line) > 0 {
			c.in = rest
			return string(line), nil
		}
		buf := make([]byte, 16<<10)
		n, err := c.Read(buf)
		if err != nil {
			return "", err
		}
		c.in = append(c.in, buf[:n]...)
	}
}

// whole sends a command and returns the bytes of its answer: what has come when a PING behind it is answered.
func (c *redisConn) whole(command []byte) ([]byte, error) {
	const pong = "+PONG\r\n"
	if _, err := c.Write(appendCommand(bytes.Clone(command), "PING")); err != nil {
		return nil, err
	}
	buf := make([]byte, 16<<10)
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			return nil, err
		}
		n += m
		if answer, ok := bytes.CutSuffix(buf[:n], []byte(pong)); ok {
			if answer[0] == '-' {
				err = fmt.Errorf("redis: %q", answer)
			}
			return answer, err
		}
		if n == len(buf) {
			return nil, fmt.Errorf("redis: more than %d bytes", n)
		}
	}
}

// pipeline sends commands and reads their answers, which must be want.
func (c *redisConn) pipeline(commands, want []byte, f *faults) error {
	if _, err := c.Write(commands); err != nil {
		return err
	}
	if cap(c.in) < len(want) {
		c.in = make([]byte, len(want))
	}
	got := c.in[:len(want)]
	if _, err := io.ReadFull(c.socket, got); err != nil {
		return fmt.Errorf("an answer of redis is lost: %w", err)
	}
	if !f.check(got, want, "of the list's own") {
		return f.err()
	}
	return nil
}
