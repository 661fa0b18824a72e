package cache

// Begin appends to dst what comes before a payload of that kind; first tells whether it is the first one of the reply.
//
// hot: called for every payload that is read.
func (f *Form) Begin(dst []byte, kind Kind, first bool) []byte {
	if !first {
		dst = append(dst, f.Separator...)
	}
	if kind == SDP {
		return append(dst, f.SDP...)
	}
	return append(dst, f.Candidate...)
}

// End appends to dst what comes after a payload.
func (f *Form) End(dst []byte) []byte { return append(dst, f.After...) }
