package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"path"
	"strconv"
	"sync"

	"github.com/gofiber/fiber/v2"
	brrr "github.com/molecule-man/go-brrr"
	"github.com/valyala/fasthttp"

	"signal-server/app/wire"
)

// asset is a file that does not change while the program runs, in each coding that it may be sent in. The first request for a coding makes
// it. From then on it is sent from the same memory to everybody: a client that reads slowly holds nothing of its own.
type asset [len(codings)]func() coded

// coded is a file in one coding.
type coded struct {
	content []byte // nil: it is not sent so
	tag     []byte // its ETag, which differs from that of other codings (RFC 9110, Section 8.8.3.3)
}

// codings are those that a file may be sent in (RFC 9110, Section 8.4.1), the best first. The last one is the file as it is.
var codings = [...]struct {
	name   string
	writer func(io.Writer) (io.WriteCloser, error)
}{
	{"br", func(to io.Writer) (io.WriteCloser, error) { return brrr.NewWriter(to, brotliQuality) }},
	{"gzip", func(to io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(to, gzip.BestCompression) }},
	{name: ""},
}

// brotliQuality makes the largest file, of 1.4 MB, a quarter of it in 0.2 s. The best quality takes seconds for a twentieth less.
const brotliQuality = 9

// encode returns the content in the coding of that number.
func encode(number int, content []byte) []byte {
	if codings[number].name == "" {
		return content
	}
	var b bytes.Buffer
	w, err := codings[number].writer(&b)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("BUG: a file cannot be compressed: " + err.Error())
	}
	return bytes.Clone(b.Bytes()) // without the room to grow
}

// newAsset returns the file that read reads. A coding that does not make it smaller is left out.
func newAsset(read func() []byte) (a asset) {
	read = sync.OnceValue(read)
	for i, coding := range codings {
		a[i] = sync.OnceValue(func() coded {
			content := encode(i, read())
			if coding.name != "" && len(content) >= len(read()) {
				return coded{}
			}
			sum := sha256.Sum256(content)
			return coded{content, []byte(`"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`)}
		})
	}
	return a
}

// pick returns the file in the best coding that the client takes, and the coding's name; "": none.
func (a *asset) pick(accepts []byte) (c coded, coding string) {
	for i, coding := range codings {
		if coding.name == "" || takes(accepts, coding.name) {
			if c := a[i](); c.content != nil {
				return c, coding.name
			}
		}
	}
	panic("BUG: an asset has no content")
}

// takes reports whether Accept-Encoding names the coding, or *, with a weight above 0 (RFC 9110, Section 12.5.3).
func takes(accepts []byte, coding string) bool {
	others := false
	for member := range bytes.SplitSeq(accepts, []byte(",")) {
		name, parameters, _ := bytes.Cut(member, []byte(";"))
		weight, weighted := bytes.CutPrefix(bytes.TrimSpace(parameters), []byte("q="))
		wanted := true
		if weighted {
			q, err := strconv.ParseFloat(string(weight), 32)
			wanted = err == nil && q > 0
		}
		switch name = bytes.TrimSpace(name); {
		case bytes.EqualFold(name, []byte(coding)):
			return wanted
		case string(name) == "*":
			others = wanted
		}
	}
	return others
}

// file returns the route of one file; read returns what it holds, and is called once. Fiber has no strict routing here, so each is found
// with a slash at its end too. The files of a folder are counted together. head sets the headers that the file has beside those of its
// kind, whether it is sent or not (RFC 9110, Section 15.4.5).
func file(route, name string, read func() []byte, head func(*fasthttp.ResponseHeader)) wire.Route {
	contentType := mediaTypes[path.Ext(name)]
	if contentType == "" {
		panic("BUG: no media type for the embedded file " + name)
	}
	label := fiber.MethodGet + " " + route
	if folder := path.Dir(route); folder != "/" {
		label = fiber.MethodGet + " " + folder + "/*"
	}
	asset := newAsset(read)
	return page(route, label, true, func(c *fiber.Ctx, _ *wire.Visit) error {
		coded, coding := asset.pick(c.Request().Header.Peek(fasthttp.HeaderAcceptEncoding))
		h := &c.Response().Header
		head(h)
		h.Set(fasthttp.HeaderCacheControl, caching)
		h.Add(fasthttp.HeaderVary, fasthttp.HeaderAcceptEncoding)
		h.SetBytesV(fasthttp.HeaderETag, coded.tag)
		if matchesTag(c.Request().Header.Peek(fasthttp.HeaderIfNoneMatch), coded.tag) {
			h.SetNoDefaultContentType(true)
			c.Status(fiber.StatusNotModified)
			return nil
		}
		h.SetContentType(contentType)
		if coding != "" {
			h.Set(fasthttp.HeaderContentEncoding, coding)
		}
		c.Response().SetBodyRaw(coded.content)
		return nil
	})
}

// matchesTag reports whether If-None-Match lists the tag (RFC 9110, Section 13.1.2): compared weakly, * matches any.
func matchesTag(list, tag []byte) bool {
	for member := range bytes.SplitSeq(list, []byte(",")) {
		member = bytes.TrimPrefix(bytes.TrimSpace(member), []byte("W/"))
		if bytes.Equal(member, tag) || string(member) == "*" {
			return true
		}
	}
	return false
}

// mediaTypes is the media type of each kind of file that pages are made of.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".map":  "application/json",
}

// caching lets a browser keep a file and makes it ask each time whether it is still the same: files have no version in their names, and
// those of two releases must not meet.
const caching = "no-cache"
