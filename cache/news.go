package cache

// News is what a ring says. The zero News says "look again"; a store that Tells says more where it can.
type News struct {
	// At is a cursor of the session that has news. Behind it stand the messages that Frames holds, as a Batch has them. Frames is empty
	// if the session has just opened and the reader has nothing to read yet. All bells share Frames, so nobody writes to it.
	At     Cursor
	Frames []byte
}

// standing is where news stand, seen from a reader's cursor.
type standing uint8

const (
	elsewhere standing = iota // in another session, or with something missing in between: only a look tells
	known                     // the reader has been given all that they hold
	next                      // their first message is the reader's next one
)

// standing compares the news with a reader's cursor.
func (n News) standing(after Cursor) standing {
	if after != 0 && after.Epoch() != n.At.Epoch() {
		return elsewhere
	}
	count := 0
	for rest := n.Frames; len(rest) > 0; count++ {
		var ok bool
		if _, rest, ok = NextFrame(rest); !ok {
			return elsewhere // damaged
		}
	}
	switch at, place := n.At.Position(), after.Position(); {
	case at == place && count > 0:
		return next
	case at+count <= place && after != 0:
		return known
	default:
		return elsewhere
	}
}

// read appends at most limit of the messages to dst, in that form, and returns what is left of the news.
func (n News) read(dst []byte, limit int, form *Form) ([]byte, News) {
	rest := n.Frames
	read := 0
	for read < limit {
		f, behind, ok := NextFrame(rest)
		if !ok {
			break
		}
		dst = form.End(append(form.Begin(dst, f.Kind, read == 0), f.Wire...))
		rest = behind
		read++
	}
	return dst, News{At: n.At + Cursor(read), Frames: rest}
}
