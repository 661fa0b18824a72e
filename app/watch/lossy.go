package watch

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// lossy is a handler of log lines that counts those which could not be written: a full disk costs lines, and nothing else.
type lossy struct {
	slog.Handler
	lost *atomic.Int64
}

// Handle implements slog.Handler.
func (l lossy) Handle(ctx context.Context, r slog.Record) error {
	err := l.Handler.Handle(ctx, r)
	if err != nil {
		l.lost.Add(1)
	}
	return err
}

// WithAttrs implements slog.Handler.
func (l lossy) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lossy{l.Handler.WithAttrs(attrs), l.lost}
}

// WithGroup implements slog.Handler.
func (l lossy) WithGroup(name string) slog.Handler { return lossy{l.Handler.WithGroup(name), l.lost} }
