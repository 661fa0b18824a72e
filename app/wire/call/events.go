package call

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"signal-server/app/gate"
	"signal-server/app/wire"
	"signal-server/cache"
	"signal-server/custerrors"
)

const (
	// heartbeat is how often a stream says something at the least: proxies commonly hang up after 30 s or more of silence.
	heartbeat = 15 * time.Second

	// streamBatch is how many bytes of events are gathered for one write, about. It bounds what a stream holds in memory
	// beside the connection's own buffers; what a reader has not taken stays in the store.
	streamBatch = 16 << 10
)

// streamHead begins an event stream (WHATWG HTML, Section 9.2). The length is not known, so the end of the connection is the
// end of the stream (RFC 9112, Section 6.3). X-Accel-Buffering tells nginx, no-transform others, to pass it on as it comes.
const streamHead = "HTTP/1.1 200 OK\r\n" +
	"Content-Type: text/event-stream\r\n" +
	"Cache-Control: no-store, no-transform\r\n" +
	"X-Accel-Buffering: no\r\n" +
	"Connection: close\r\n"

const (
	eventID      = "id: "
	eventIDEnd   = "\n"
	eventComment = ":\n\n"
	eventEnd     = "event: end\ndata: \"" // and the msg
	eventDataEnd = "\"\n\n"

	// endID is the id of an end that is final. An EventSource comes back after it, as after any, and shows that it has seen it.
	endID      = "end"
	eventEndID = eventID + endID + eventIDEnd
)

// formEvent writes a message as the rest of an event. The payload is a JSON string, without line breaks, so that none can
// inject a field.
var formEvent = cache.Form{
	SDP:       "event: sdp\ndata: \"",
	Candidate: "event: candidate\ndata: \"",
	After:     eventDataEnd,
}

// streamEvents pushes everything the other role writes.
//
//	@Summary		Stream the other role's messages as server-sent events
//	@Description	Each message is an event: `id` is its cursor, `event` is `sdp` or `candidate`, `data` is the payload as a JSON string.
//	@Description	The stream starts after `Last-Event-ID`, sends a comment every 15 s, and ends with `event: end`, whose data is the
//	@Description	reason's msg as a JSON string. The answerer's waits for the session if need be; the offerer's ends at once if there is
//	@Description	none. `end` has the id `end`, unless it is this server that ends. Who comes back with `Last-Event-ID: end`, as an
//	@Description	EventSource does by itself, starts afresh: the answerer's stream waits for the key's next session; the offerer is
//	@Description	answered 204, which tells an EventSource to stop, if no session lives. A reader that does not keep up is cut off, and
//	@Description	resumes by its last id.
//	@Description
//	@Description	A stream has no end to show here. By hand: `curl -N -H 'key: …' http://localhost:8080/answer/events`
//	@Tags			messages
//	@Produce		event-stream
//	@Produce		json
//	@Param			role			path		string	true	"who asks"	Enums(offer, answer)
//	@Param			key				query		string	true	"the session's key: 1 to 32 characters; or in the header"
//	@Param			Last-Event-ID	header		string	false	"the cursor to go on from, or end; absent: from the beginning"
//	@Param			after			query		string	false	"the same, where a client cannot set headers; the header wins"
//	@Param			X-Offer-Ticket	header		string	false	"the offerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Param			X-Answer-Ticket	header		string	false	"the answerer's ticket, where the server has --role-tickets; or ticket in the query"
//	@Success		200				{string}	string	"text/event-stream"
//	@Success		204				"the offerer has come back after the end, and no session lives"
//	@Failure		400				{object}	envelope	"KeyIsEmpty, KeyIsTooLong, CursorIsInvalid"
//	@Failure		503				{object}	envelope	"ServerIsShuttingDown, StoreIsUnavailable"
//	@Router			/{role}/events [get]
func (w *Wire) streamEvents(c *fiber.Ctx, v *wire.Visit) error {
	after, anew, err := readEventID(c)
	answers := v.Seat == cache.Answer
	next, stops := anew && answers, anew && !answers
	if err == nil && !next { // the ticket of a session that has ended says nothing of the next one
		after, err = v.Cursor(after)
	}
	if err != nil {
		return err
	}
	if stops || v.Gate.TellsClients() { // whether there is a session, only a look tells
		lease, err := v.Store.Touch(c.Context(), v.Key)
		v.Note(err)
		over := err == custerrors.KeyNotFound || err == custerrors.KeyIsExpired || v.Session != 0 && lease.Epoch != v.Session
		if stops && over {
			return stop(v.Reply())
		}
	}
	s := &stream{host: v.Host, pass: v.Pass, role: v.Seat, after: after, head: v.Head(c, streamHead)}
	return v.Stream(c, wire.Streaming{
		Stream: s, Wait: cache.Wait{For: forever, Unopened: answers, Anew: next}, Beat: heartbeat,
	})
}

// stop tells an EventSource not to come back (WHATWG HTML, Section 9.2.3). It returns nil.
func stop(r *wire.Reply) error {
	r.Header.Set(fiber.HeaderCacheControl, "no-store") // 204 may be kept, else (RFC 9110, Section 15.3.5)
	r.SetStatusCode(fiber.StatusNoContent)
	return nil
}

// readEventID returns where the reader wants to go on: after a cursor, or anew because it has seen the end of a session.
func readEventID(c *fiber.Ctx) (after cache.Cursor, anew bool, err error) {
	id := c.Request().Header.Peek("Last-Event-ID")
	if len(id) == 0 {
		id = c.Context().QueryArgs().Peek("after")
	}
	if string(id) == endID {
		return 0, true, nil
	}
	after, err = wire.ParseCursor(id)
	return after, false, err
}

// stream is one reader of events.
type stream struct {
	host  *wire.Host
	pass  gate.Pass
	role  cache.Role
	after cache.Cursor
	head  []byte // of the answer; nil: it was written
}

// forever is longer than any session lives.
const forever = 100 * 365 * 24 * time.Hour

// Next implements wire.Stream: it streams until the session or the server ends.
func (s *stream) Next(dst []byte, key cache.Key, wait *cache.Wait, silent bool) ([]byte, wire.After) {
	if s.head != nil {
		s.pass.Key = key
		dst = append(append(dst, s.head...), "\r\n"...)
		s.head = nil
		return append(dst, eventComment...), wire.Asks // so that the reader knows at once that it is connected, however slow the store is
	}
	from := len(dst)
	dst, err := s.gather(dst, key, wait)
	switch {
	case err == nil:
		s.host.Gate.Note(&s.pass, nil)
		s.host.Gate.Met(&s.pass)
		return dst, wire.Asks
	case wait.Pending():
		if silent && len(dst) == from {
			dst = append(dst, eventComment...)
		}
		return dst, wire.Waits
	}
	return s.end(dst, s.host.Msg(err)), wire.Ends
}

// end appends the stream's end. Where this server or its store is at fault, and not the session over, it has no id: the reader resumes by
// its last one, here or at another node.
func (s *stream) end(dst []byte, msg custerrors.Error) []byte {
	if msg.Status() < fiber.StatusInternalServerError {
		dst = append(dst, eventEndID...)
	}
	dst = append(dst, eventEnd...)
	dst = append(dst, msg...) // no msg needs escaping, a test says
	return append(dst, eventDataEnd...)
}

// gather appends what is there, about streamBatch bytes at the most. It returns nil, or why there is none.
func (s *stream) gather(dst []byte, key cache.Key, wait *cache.Wait) ([]byte, error) {
	from := len(dst)
	for len(dst)-from < streamBatch {
		at := len(dst) + len(eventID)
		out := append(wire.AppendCursor(append(dst, eventID...), s.after), eventIDEnd...)
		out, next, err := s.host.Mail.Read(context.Background(), out, key, s.role, s.after, 1, &formEvent, wait)
		switch {
		case err == nil:
		case len(dst) > from:
			return dst, nil // the next call tells, after what is gathered has been written
		default:
			return dst, err
		}
		wire.AppendCursor(out[:at], next)
		dst, s.after = out, next
	}
	return dst, nil
}
