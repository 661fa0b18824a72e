package custerrors

// names are the constants with their names and meanings, in the order of their declaration. A test compares them with the declarations and
// with their doc comments.
var names = [...]struct {
	error   Error
	name    string
	meaning string
}{
	{KeyIsEmpty, "KeyIsEmpty", "the request names no key, or a blank one"},
	{KeyIsTooLong, "KeyIsTooLong", "the key has more than 32 characters (Unicode code points)"},
	{KeyNotFound, "KeyNotFound", "no session has this key, now or lately"},
	{KeyIsExpired, "KeyIsExpired", "the session of this key has ended: by DELETE, by its TTL or by its absolute lifetime"},
	{CtxIsEmpty, "CtxIsEmpty", "a handler found no key, though its request named one. It is a bug here, and nothing sends it today"},
	{CacheOverrunMaxCost, "CacheOverrunMaxCost", "the memory budget is used up: no new session is taken, live ones are not touched"},
	{StoreIsUnavailable, "StoreIsUnavailable", "the store of sessions cannot be reached, or does not answer in time; ask again soon"},
	{CacheOnEvictNoGetKey, "CacheOnEvictNoGetKey", "for the log only: an eviction that names no key"},
	{QueueNewFailBecauseAlreadyExists, "QueueNewFailBecauseAlreadyExists", "for the log only: the text of an internal error"},
	{QueueGetFailBecauseNotExists, "QueueGetFailBecauseNotExists", "for the log only: the text of an internal error"},
	{QueueIsFull, "QueueIsFull", "the role's queue has no room for these candidates; none of them was taken"},
	{DataIsEmpty, "DataIsEmpty", "POST /offer/sdp came without data, or with blank data"},
	{BodyIsEmpty, "BodyIsEmpty", "the body, or a payload in it, is missing or blank (white space only)"},
	{BodyIsNotUTF8, "BodyIsNotUTF8", "the body, or a payload in it, is not valid UTF-8 text"},
	{BodyIsCompressed, "BodyIsCompressed", "the body has a Content-Encoding other than identity. This server takes none"},
	{BodyIsNotJSON, "BodyIsNotJSON", "the body is not the JSON that this route asks for"},
	{BodyIsTooLong, "BodyIsTooLong", "the body, a payload in it, or the session with it, is over its limit of bytes"},
	{SdpNoValues, "SdpNoValues", "the sdp is not put yet, or is taken already"},
	{SdpAlreadyExist, "SdpAlreadyExist", "the sdp is put already; it can be put once"},
	{CandidateNoValues, "CandidateNoValues", "no candidate is left: none was put, or all are taken"},
	{CursorIsInvalid, "CursorIsInvalid", "after (or Last-Event-ID) is not a cursor that this session's reader was given"},
	{WaitIsInvalid, "WaitIsInvalid", "wait is not a number of seconds, zero or more"},
	{IdempotencyKeyIsInvalid, "IdempotencyKeyIsInvalid", "Idempotency-Key is not 1 to 64 visible ASCII characters"},
	{IdempotencyKeyIsReused, "IdempotencyKeyIsReused", "this role has used the Idempotency-Key in this session for another route or another body; nothing was done"},
	{RequestIsInvalid, "RequestIsInvalid", "the request is not well-formed HTTP"},
	{RequestIsTooSlow, "RequestIsTooSlow", "the request did not arrive whole in time"},
	{HeaderIsTooLong, "HeaderIsTooLong", "the request line and headers are over the limit of bytes"},
	{RouteNotFound, "RouteNotFound", "no route has this path"},
	{MethodNotAllowed, "MethodNotAllowed", "the route has no such method; the Allow header lists those it has"},
	{NotAuthenticated, "NotAuthenticated", "this server asks for a token, and the request has none, or one that is not valid (now)"},
	{NotAllowed, "NotAllowed", "the client may not do this: its token is for another key or role, or somebody else holds the role"},
	{HTTPSIsRequired, "HTTPSIsRequired", "the request came over plain HTTP to a server that takes HTTPS only; everybody on the way could read what it said"},
	{TooManyRequests, "TooManyRequests", "the client asks too often, or has as many sessions as one client has memory for; Retry-After says when to ask again"},
	{ServerIsOverloaded, "ServerIsOverloaded", "this server has as many connections, waiting requests or large bodies as it takes; ask again soon"},
	{ServerIsShuttingDown, "ServerIsShuttingDown", "this server ends; ask again, and another one may answer"},
	{InternalError, "InternalError", "this server has a bug"},
}

// All returns every Error there is, in the order of their declaration, which never changes while the program runs. The caller owns the
// slice.
func All() []Error {
	all := make([]Error, len(names))
	for i := range names {
		all[i] = names[i].error
	}
	return all
}

// Name returns the name of e's constant, as in the README's table, and "" for no error. It searches for the name, so hot paths ask
// beforehand.
func (e Error) Name() string {
	for i := range names {
		if names[i].error == e {
			return names[i].name
		}
	}
	return ""
}

// Meaning returns what e means in English, as in the README's table but without the full stop at the end, and "" for no error. It begins
// with a small letter. It searches as Name does.
func (e Error) Meaning() string {
	for i := range names {
		if names[i].error == e {
			return names[i].meaning
		}
	}
	return ""
}
