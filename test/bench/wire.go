package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// conn is a keep-alive HTTP/1.1 connection that sends prepared bytes and reads answers of known length. It does nothing else, so that
// the load costs less than the servers.
type conn struct {
	*socket
	in    []byte
	asked int // requests sent
}

func (p *poller) dialHTTP(address string) (*conn, error) {
	s, err := p.dial(address)
	if err != nil {
		return nil, err
	}
	return &conn{socket: s}, nil
}

// ask sends a request and returns the body of its answer, which is valid until the next one.
func (c *conn) ask(request []byte) ([]byte, error) {
	if err := c.send(request); err != nil {
		return nil, err
	}
	return c.receive()
}

func (c *conn) send(request []byte) error {
	c.asked++
	_, err := c.Write(request)
	return err
}

var (
	headEnd       = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

func (c *conn) receive() ([]byte, error) {
	if c.in == nil {
		c.in = make([]byte, 8<<10)
	}
	if err := c.wait(); err != nil { // nothing can have come yet
		return nil, fmt.Errorf("an answer is lost: %w", err)
	}
	return readAnswer(c, &c.in)
}

// readAnswer reads an answer and returns its body, which lies in in. in grows if need be.
func readAnswer(r io.Reader, in *[]byte) ([]byte, error) {
	for n, end := 0, 0; ; {
		if n == len(*in) {
			*in = append(*in, make([]byte, len(*in))...)
		}
		m, err := r.Read((*in)[n:])
		if err != nil {
			return nil, fmt.Errorf("an answer is lost: %w", err)
		}
		n += m
		head := bytes.Index((*in)[:n], headEnd)
		if head < 0 {
			continue
		}
		if end == 0 {
			length, err := bodyLength((*in)[:head+2])
			if err != nil {
				return nil, err
			}
			end = head + len(headEnd) + length
		}
		if n < end {
			continue
		}
		if n > end {
			return nil, fmt.Errorf("bytes that nobody asked for: %q", (*in)[end:n])
		}
		return (*in)[head+len(headEnd) : end], nil
	}
}

// bodyLength returns the length that the head of an answer names. Every answer that is asked for here has status 200.
func bodyLength(head []byte) (int, error) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("not the status 200: %q", head)
	}
	at := bytes.Index(head, contentLength)
	if at < 0 {
		return 0, fmt.Errorf("no length: %q", head)
	}
	digits, _, _ := bytes.Cut(head[at+len(contentLength):], []byte("\r\n"))
	return strconv.Atoi(string(digits))
}

// appendRequest appends a request as a small client would send it.
func appendRequest(dst []byte, method, target, key string, body []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	dst = append(dst, " HTTP/1.1\r\nHost: bench\r\nkey: "...)
	dst = append(dst, key...)
	if method == "POST" {
		mime := "\r\nContent-Type: text/plain\r\nContent-Length: "
		if body[0] == '{' || body[0] == '[' {
			mime = "\r\nContent-Type: application/json\r\nContent-Length: "
		}
		dst = strconv.AppendInt(append(dst, mime...), int64(len(body)), 10)
	}
	dst = append(dst, headEnd...)
	return append(dst, body...)
}
