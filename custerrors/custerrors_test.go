package custerrors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"signal-server/custerrors"
)

// Clients compare these texts: they never change.
func TestFixedTexts(t *testing.T) {
	tests := []struct {
		got    custerrors.Error
		want   string
		status int
	}{
		{custerrors.KeyIsEmpty, "key为空", 400},
		{custerrors.KeyIsTooLong, "key太长，长度不能超过32位", 400},
		{custerrors.KeyNotFound, "key未找到", 200},
		{custerrors.KeyIsExpired, "key已过期", 200},
		{custerrors.CtxIsEmpty, "ctx为空", 500},
		{custerrors.CacheOverrunMaxCost, "缓存超出MaxCost，服务已达到最大负载", 503},
		{custerrors.CacheOnEvictNoGetKey, "缓存OnEvict回调，无法获取原始key", 500},
		{custerrors.QueueNewFailBecauseAlreadyExists, "队列创建失败，因为已经存在", 500},
		{custerrors.QueueGetFailBecauseNotExists, "队列获取失败，因为不存在", 500},
		{custerrors.DataIsEmpty, "data为空", 400},
		{custerrors.BodyIsEmpty, "body为空", 400},
		{custerrors.SdpNoValues, "sdp没有值", 200},
		{custerrors.SdpAlreadyExist, "sdp已存在", 200},
		{custerrors.CandidateNoValues, "candidate没有值", 200},
		{custerrors.StoreIsUnavailable, "存储不可用", 503},
		{custerrors.NotAuthenticated, "未认证", 401},
		{custerrors.ServerIsOverloaded, "服务过载", 503},
	}
	for _, tt := range tests {
		if got := tt.got.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		if got := tt.got.Status(); got != tt.status {
			t.Errorf("%s: got status %d, want %d", tt.got, got, tt.status)
		}
	}
	if got := custerrors.Error("").Status(); got != 200 {
		t.Errorf("no error: got status %d, want 200", got)
	}
}

func TestEveryConstant(t *testing.T) {
	statuses := []int{200, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431, 500, 503}
	names := make(map[string]string) // by text
	for _, spec := range constants(t) {
		name := spec.Names[0].Name
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := spec.Doc.Text(); !strings.HasPrefix(got, name+" ") {
			t.Errorf("%s: got the doc comment %q, want one that begins with the name", name, got)
		}
		if first, ok := names[text]; ok {
			t.Errorf("%s: got the text %q of %s, want its own", name, text, first)
		}
		names[text] = name
		if text == "" || !utf8.ValidString(text) {
			t.Errorf("%s: got %q, want valid UTF-8", name, text)
		}
		if got, err := json.Marshal(text); err != nil || string(got) != `"`+text+`"` {
			t.Errorf("%s: got %s, %v as JSON, want %q as it is", name, got, err, text)
		}
		if got := custerrors.Error(text).Status(); !slices.Contains(statuses, got) {
			t.Errorf("%s: got status %d, want one of %v", name, got, statuses)
		}
	}
	if got := len(names); got < 14 {
		t.Errorf("got %d constants, want 14 or more: the fixed ones alone are so many", got)
	}
}

func TestNames(t *testing.T) {
	all := custerrors.All()
	specs := constants(t)
	if len(all) != len(specs) {
		t.Errorf("All: got %d, want %d, as many as there are constants", len(all), len(specs))
	}
	for i, spec := range specs {
		text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if i < len(all) && string(all[i]) != text {
			t.Errorf("All: got %q at %d, want %q: the order of declaration", all[i], i, text)
		}
		if got, want := custerrors.Error(text).Name(), spec.Names[0].Name; got != want {
			t.Errorf("Name of %q: got %q, want %q", text, got, want)
		}
		if got, want := custerrors.Error(text).Meaning(), meaning(spec); got != want || got == "" {
			t.Errorf("Meaning of %s: got %q, want %q, as its doc comment says", spec.Names[0].Name, got, want)
		}
	}
	for _, e := range []custerrors.Error{"", "no such text"} {
		if got := e.Name(); got != "" {
			t.Errorf("Name of %q: got %q, want none", e, got)
		}
		if got := e.Meaning(); got != "" {
			t.Errorf("Meaning of %q: got %q, want none", e, got)
		}
	}
}

// meaning returns what the doc comment of a constant says, on one line, without the constant's name, the verb and the full stop.
func meaning(spec *ast.ValueSpec) string {
	text := strings.Join(strings.Fields(spec.Doc.Text()), " ")
	text = strings.TrimPrefix(text, spec.Names[0].Name)
	for _, verb := range []string{" says that ", " is "} {
		if rest, ok := strings.CutPrefix(text, verb); ok {
			return strings.TrimSuffix(rest, ".")
		}
	}
	return ""
}

// constants returns the declarations of all constants of this package: one name and one string literal each.
func constants(t *testing.T) []*ast.ValueSpec {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var specs []*ast.ValueSpec
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				spec := spec.(*ast.ValueSpec)
				if !isErrorText(spec) {
					t.Fatalf("%s: %v: want one name of type Error and one string literal", path, spec.Names)
				}
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

func isErrorText(spec *ast.ValueSpec) bool {
	if len(spec.Names) != 1 || len(spec.Values) != 1 {
		return false
	}
	kind, typed := spec.Type.(*ast.Ident)
	literal, ok := spec.Values[0].(*ast.BasicLit)
	return typed && kind.Name == "Error" && ok && literal.Kind == token.STRING
}

func TestOf(t *testing.T) {
	wrapped := fmt.Errorf("open: %w", custerrors.KeyNotFound)
	tests := []struct {
		name string
		err  error
		want custerrors.Error
	}{
		{"nil", nil, ""},
		{"bare", custerrors.KeyNotFound, custerrors.KeyNotFound},
		{"wrapped", wrapped, custerrors.KeyNotFound},
		{"wrapped twice", fmt.Errorf("post: %w", wrapped), custerrors.KeyNotFound},
		{"joined", errors.Join(errors.New("other"), custerrors.QueueIsFull), custerrors.QueueIsFull},
		{"stranger", errors.New("other"), custerrors.InternalError},
		{"wrapped stranger", fmt.Errorf("open: %w", errors.New("other")), custerrors.InternalError},
	}
	for _, tt := range tests {
		if got := custerrors.Of(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if !errors.Is(wrapped, custerrors.KeyNotFound) {
		t.Errorf("errors.Is: got false for %q, want true", wrapped)
	}
}

func TestOfAllocates(t *testing.T) {
	var err error = custerrors.KeyNotFound
	if got := testing.AllocsPerRun(100, func() { _ = custerrors.Of(err).Status() }); got != 0 {
		t.Errorf("a bare Error: got %v allocations, want 0", got)
	}
}
