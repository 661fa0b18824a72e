package wire

import (
	"github.com/valyala/fasthttp"

	"signal-server/app/link"
	"signal-server/cache"
	"signal-server/custerrors"
)

// payerOf returns who pays for what the request writes: its client, or nobody in particular where that is not one client.
//
// hot: every request that writes.
func (h *Host) payerOf(c *fasthttp.RequestCtx) cache.Payer {
	from := link.Address(c.RemoteAddr())
	if !h.Gate.Believes(from) { // to look for a header costs more than all the rest
		return cache.PayerOf(from)
	}
	return h.Gate.Payer(from, allOf(c, fasthttp.HeaderXForwardedFor)...)
}

// tellShare logs, once for all, that a store has refused a write because of its payer's share. Afterwards that is only counted: whoever has no
// more to have is told so with every request.
func (h *Host) tellShare(err error, payer cache.Payer) {
	if err != custerrors.TooManyRequests || h.sharesTold.Swap(true) {
		return
	}
	h.Watch.Log().Warn("the sessions of one client take as much memory as those of one client may (--max-client-memory); of others this is not told. "+
		"If it is a proxy, name it in --trusted-proxies", "client", payer)
}
