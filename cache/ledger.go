package cache

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// Ledger counts how many bytes of a store's memory each payer's sessions take, and refuses what is beyond a client's share. It knows only payers
// that hold something. NewLedger makes one; it is safe for concurrent use.
type Ledger struct {
	// set at construction
	limit int64 // bytes; 0: nothing is bounded, and nothing is counted

	// atomic
	refused atomic.Int64

	// each under its own lock
	pages [ledgerPages]ledgerPage
}

// ledgerPages is a power of two, and many more than cores. Clients can choose addresses that share a page; that is a lock which is held for as
// long as it takes to count.
const (
	ledgerPages    = 64
	ledgerPageBits = 6
)

type ledgerPage struct {
	mu sync.Mutex
	// guarded by mu
	held map[Payer]int64 // bytes; no entry: none
	most int             // entries since held was made: a map keeps the memory of as many
	_    [40]byte        // so that neighbours do not share a line of the processors' caches
}

// ledgerKeep is how many entries an empty page may have had and keep its memory: 64 pages of so many take 0.8 MB.
const ledgerKeep = 256

// NewLedger returns a Ledger in which a payer may have as many bytes as limit; 0: any number, and Take and Give do nothing.
func NewLedger(limit int64) *Ledger {
	l := &Ledger{limit: limit}
	for i := range l.pages {
		l.pages[i].held = make(map[Payer]int64)
	}
	return l
}

// Take adds n bytes, 0 or more, to what the payer holds, unless that is more than the limit then; it reports whether it did. The zero Payer may
// have any number.
//
// hot: every session that opens. It allocates only where more payers than ever before hold something.
func (l *Ledger) Take(p Payer, n int64) bool {
	if l.limit == 0 || p == (Payer{}) {
		return true
	}
	page := l.page(&p)
	page.mu.Lock()
	held := page.held[p] + n
	if held > l.limit {
		page.mu.Unlock()
		l.refused.Add(1)
		return false
	}
	page.held[p] = held
	page.most = max(page.most, len(page.held))
	page.mu.Unlock()
	return true
}

// Give takes back n bytes that Take has added. A payer that holds nothing more is forgotten.
//
// hot: every session that ends.
func (l *Ledger) Give(p Payer, n int64) {
	if l.limit == 0 || p == (Payer{}) {
		return
	}
	page := l.page(&p)
	page.mu.Lock()
	held := page.held[p] - n
	if held > 0 {
		page.held[p] = held
	} else {
		page.forgetLocked(p)
	}
	page.mu.Unlock()
	if held < 0 {
		panic("BUG: a payer gives back more than it holds")
	}
}

func (page *ledgerPage) forgetLocked(p Payer) {
	delete(page.held, p)
	if len(page.held) == 0 && page.most > ledgerKeep {
		page.held, page.most = make(map[Payer]int64), 0
	}
}

// Refused returns how often Take has refused.
func (l *Ledger) Refused() int64 { return l.refused.Load() }

func (l *Ledger) page(p *Payer) *ledgerPage {
	const odd = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio: its products differ in their upper bits
	bits := (binary.LittleEndian.Uint64(p[:8]) ^ binary.LittleEndian.Uint64(p[8:])) * odd
	return &l.pages[bits>>(64-ledgerPageBits)]
}
