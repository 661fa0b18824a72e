package custerrors

// names are the constants with their names, in the order of their declaration. A test compares them with the declarations.
var names = [...]struct {
	error Error
	name  string
}{
	{KeyIsEmpty, "KeyIsEmpty"},
	{KeyIsTooLong, "KeyIsTooLong"},
	{KeyNotFound, "KeyNotFound"},
	{KeyIsExpired, "KeyIsExpired"},
	{CtxIsEmpty, "CtxIsEmpty"},
	{CacheOverrunMaxCost, "CacheOverrunMaxCost"},
	{StoreIsUnavailable, "StoreIsUnavailable"},
	{CacheOnEvictNoGetKey, "CacheOnEvictNoGetKey"},
	{QueueNewFailBecauseAlreadyExists, "QueueNewFailBecauseAlreadyExists"},
	{QueueGetFailBecauseNotExists, "QueueGetFailBecauseNotExists"},
	{QueueIsFull, "QueueIsFull"},
	{DataIsEmpty, "DataIsEmpty"},
	{BodyIsEmpty, "BodyIsEmpty"},
	{BodyIsNotUTF8, "BodyIsNotUTF8"},
	{BodyIsCompressed, "BodyIsCompressed"},
	{BodyIsNotJSON, "BodyIsNotJSON"},
	{BodyIsTooLong, "BodyIsTooLong"},
	{SdpNoValues, "SdpNoValues"},
	{SdpAlreadyExist, "SdpAlreadyExist"},
	{CandidateNoValues, "CandidateNoValues"},
	{CursorIsInvalid, "CursorIsInvalid"},
	{WaitIsInvalid, "WaitIsInvalid"},
	{IdempotencyKeyIsInvalid, "IdempotencyKeyIsInvalid"},
	{IdempotencyKeyIsReused, "IdempotencyKeyIsReused"},
	{RequestIsInvalid, "RequestIsInvalid"},
	{RequestIsTooSlow, "RequestIsTooSlow"},
	{HeaderIsTooLong, "HeaderIsTooLong"},
	{RouteNotFound, "RouteNotFound"},
	{MethodNotAllowed, "MethodNotAllowed"},
	{NotAuthenticated, "NotAuthenticated"},
	{NotAllowed, "NotAllowed"},
	{HTTPSIsRequired, "HTTPSIsRequired"},
	{TooManyRequests, "TooManyRequests"},
	{ServerIsOverloaded, "ServerIsOverloaded"},
	{ServerIsShuttingDown, "ServerIsShuttingDown"},
	{InternalError, "InternalError"},
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
