package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// serve is what this program does as a candidate: serve KIND ADDRESS [SIZE].
//
//	bare      fasthttp with its defaults; its handler does nothing but set a fixed body of SIZE bytes
//	headers   the same, and sets the headers that the signaling server's answers have
//	checks    as bare, for POST messages: checks the JSON first, with the signaling server's reader, and keeps a copy of the last body
//	fasthttp  fasthttp with its defaults; its handler waits for a minute
//	nethttp   net/http with its defaults; its handler does the same
//	twin      the messages flow on net/http: see twin.go
//	inprocess, jsoncheck, rediscalls: not servers, see inprocess.go, jsoncheck.go and redisstore.go
func serve(args []string) error {
	if len(args) > 0 && args[0] == "inprocess" {
		return inprocessChild(args[1:])
	}
	if len(args) > 0 && args[0] == "jsoncheck" {
		return jsonCheckChild(args[1:])
	}
	if len(args) > 0 && args[0] == "rediscalls" {
		return redisCallsChild(args[1:])
	}
	if len(args) < 2 {
		return errors.New("serve KIND ADDRESS [SIZE]")
	}
	kind, address := args[0], args[1]
	var body []byte
	if len(args) > 2 {
		size, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		body = fixedBody(size)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	switch kind {
	case "bare":
		return fasthttp.Serve(listener, func(c *fasthttp.RequestCtx) { c.Response.SetBodyRaw(body) })
	case "headers":
		return fasthttp.Serve(listener, func(c *fasthttp.RequestCtx) {
			c.Response.Header.SetContentType("application/json")
			c.Response.Header.Set("X-Content-Type-Options", "nosniff")
			c.Response.Header.Set("Access-Control-Allow-Origin", "*")
			if c.IsGet() {
				c.Response.Header.Set("Cache-Control", "no-store")
			}
			c.Response.SetBodyRaw(body)
		})
	case "checks":
		return fasthttp.Serve(listener, checks(body))
	case "fasthttp":
		return fasthttp.Serve(listener, func(*fasthttp.RequestCtx) { park() })
	case "nethttp":
		return http.Serve(listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { park() }))
	case "twin":
		return http.Serve(listener, newTwin())
	default:
		return fmt.Errorf("serve %s: no such kind", kind)
	}
}

// checks returns the handler that answers POST messages with a fixed body, after what no server of them can do without.
func checks(answer []byte) fasthttp.RequestHandler {
	var last atomic.Pointer[[]byte]
	return func(c *fasthttp.RequestCtx) {
		if !validMessages(c.PostBody()) {
			c.SetStatusCode(fasthttp.StatusBadRequest)
			return
		}
		kept := bytes.Clone(c.PostBody())
		last.Store(&kept)
		c.Response.SetBodyRaw(answer)
	}
}

func fixedBody(size int) []byte { return bytes.Repeat([]byte{'x'}, size) }

// park is a long poll to which nothing comes.
func park() {
	news := make(chan struct{})
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	}
}
