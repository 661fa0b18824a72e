//go:build !unix

package link

// watcher does nothing: a client that has left is noticed when its wait is over.
type watcher struct{}

func (*watcher) start(*patrol) {}

func (*watcher) stop() {}

func (*watcher) rests() bool { return false }

func (*watcher) arm(*Conn, uint32, concern) bool { return false }

func holds(int32) bool { return true }
