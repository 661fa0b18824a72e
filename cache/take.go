package cache

// Take is one take by a role: what it takes of the other role's log. The zero value of a field means none.
type Take struct {
	Key Key
	To  Role

	Kind  Kind // what is taken
	Limit int  // how many of it, at the most; 0: the call only looks
	Form  *Form

	// In is the epoch of the session that is meant; zero means whichever lives.
	In uint64

	// Token lets the take be repeated. It is bound to Route, as that of a Write is.
	Token Token
	Route string
}
