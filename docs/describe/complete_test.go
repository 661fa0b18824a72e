package main

import (
	"strings"
	"testing"

	"github.com/go-openapi/spec"
)

// described returns a description of one route, with one answer.
func described(status int, text string) *spec.Swagger {
	op := spec.NewOperation("").AddParam(spec.HeaderParam("key")).RespondsWith(status, spec.NewResponse().WithDescription(text).WithSchema(spec.RefSchema("#/definitions/Envelope")))
	return &spec.Swagger{SwaggerProps: spec.SwaggerProps{Info: new(spec.Info), Paths: &spec.Paths{Paths: map[string]spec.PathItem{
		"/{role}/sdp": {PathItemProps: spec.PathItemProps{Get: op}},
	}}}}
}

func TestComplete(t *testing.T) {
	doc := described(429, "QueueIsFull")
	if err := complete(doc); err != nil {
		t.Fatal(err)
	}
	op := doc.Paths.Paths["/{role}/sdp"].Get
	if got, want := op.ID, "get-sdp"; got != want {
		t.Errorf("the operation: got %q, want %q", got, want)
	}
	for status, want := range map[int]string{
		401: "NotAuthenticated (`未认证`)", 408: "RequestIsTooSlow (`请求超时`)", 429: "QueueIsFull (`队列已满`), TooManyRequests (`请求太频繁`)",
	} {
		if got := op.Responses.StatusCodeResponses[status].Description; got != want {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
	}
	if got, want := op.Responses.StatusCodeResponses[429].Examples[inJSON], (envelope{Msg: "队列已满"}); got != want {
		t.Errorf("the example: got %v, want %v", got, want)
	}
}

// TestCompleteRefusesMistakes checks that an annotation that says what cannot be ends the generation.
func TestCompleteRefusesMistakes(t *testing.T) {
	for _, tt := range []struct {
		status     int
		text, want string
	}{
		{400, "NotAllowed", "NotAllowed comes with 403"},
		{413, "too long", "names no msg"},
	} {
		err := complete(described(tt.status, tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "get /{role}/sdp") {
			t.Errorf("%d %s: got %v, want %s, and where", tt.status, tt.text, err, tt.want)
		}
	}
}
