// Package custerrors holds every msg text that a client of the signaling API can read, as the one error type of this
// program, and the one table from msg to HTTP status. It knows nothing else.
//
// An [Error] is a constant: it compares with ==, survives wrapping with %w, and is found again with [errors.As] or
// [errors.Is]. The texts are fixed, byte for byte: clients compare them.
package custerrors

import "errors"

// Error is a msg text. Its zero value means that nothing is wrong; no function returns it as an error.
type Error string

// Error returns the msg text.
func (e Error) Error() string { return string(e) }

// Exceptions of the key.
const (
	// KeyIsEmpty says that the request names no key, or a blank one.
	KeyIsEmpty Error = "key为空"
	// KeyIsTooLong says that the key has more than 32 characters (Unicode code points).
	KeyIsTooLong Error = "key太长，长度不能超过32位"
	// KeyNotFound says that no session has this key, now or lately.
	KeyNotFound Error = "key未找到"
	// KeyIsExpired says that the session of this key has ended: by DELETE, by its TTL or by its absolute lifetime.
	KeyIsExpired Error = "key已过期"
	// CtxIsEmpty says that a handler found no key, though its request named one. It is a bug here, and nothing sends it today.
	CtxIsEmpty Error = "ctx为空"
)

// Exceptions of the store.
const (
	// CacheOverrunMaxCost says that the memory budget is used up: no new session is taken, live ones are not touched.
	CacheOverrunMaxCost Error = "缓存超出MaxCost，服务已达到最大负载"
	// StoreIsUnavailable says that the store of sessions cannot be reached, or does not answer in time; ask again soon.
	StoreIsUnavailable Error = "存储不可用"
	// CacheOnEvictNoGetKey is for the log only: an eviction that names no key.
	CacheOnEvictNoGetKey Error = "缓存OnEvict回调，无法获取原始key"
	// QueueNewFailBecauseAlreadyExists is for the log only: the text of an internal error.
	QueueNewFailBecauseAlreadyExists Error = "队列创建失败，因为已经存在"
	// QueueGetFailBecauseNotExists is for the log only: the text of an internal error.
	QueueGetFailBecauseNotExists Error = "队列获取失败，因为不存在"
	// QueueIsFull says that the role's queue has no room for these candidates; none of them was taken.
	QueueIsFull Error = "队列已满"
)

// Exceptions of the payload.
const (
	// DataIsEmpty says that POST /offer/sdp came without data, or with blank data.
	DataIsEmpty Error = "data为空"
	// BodyIsEmpty says that the body, or a payload in it, is missing or blank (white space only).
	BodyIsEmpty Error = "body为空"
	// BodyIsNotUTF8 says that the body, or a payload in it, is not valid UTF-8 text.
	BodyIsNotUTF8 Error = "body不是有效的UTF-8"
	// BodyIsCompressed says that the body has a Content-Encoding other than identity. This server takes none.
	BodyIsCompressed Error = "body被压缩"
	// BodyIsNotJSON says that the body is not the JSON that this route asks for.
	BodyIsNotJSON Error = "body不是有效的JSON"
	// BodyIsTooLong says that the body, a payload in it, or the session with it, is over its limit of bytes.
	BodyIsTooLong Error = "body太长"
	// SdpNoValues says that the sdp is not put yet, or is taken already.
	SdpNoValues Error = "sdp没有值"
	// SdpAlreadyExist says that the sdp is put already; it can be put once.
	SdpAlreadyExist Error = "sdp已存在"
	// CandidateNoValues says that no candidate is left: none was put, or all are taken.
	CandidateNoValues Error = "candidate没有值"
)

// Exceptions of the request and of the server.
const (
	// CursorIsInvalid says that after (or Last-Event-ID) is not a cursor that this session's reader was given.
	CursorIsInvalid Error = "cursor无效"
	// WaitIsInvalid says that wait is not a number of seconds, zero or more.
	WaitIsInvalid Error = "wait无效"
	// IdempotencyKeyIsInvalid says that Idempotency-Key is not 1 to 64 visible ASCII characters.
	IdempotencyKeyIsInvalid Error = "Idempotency-Key无效，必须是1到64个可见ASCII字符"
	// IdempotencyKeyIsReused says that this role has used the Idempotency-Key in this session for another route or another body; nothing was
	// done.
	IdempotencyKeyIsReused Error = "Idempotency-Key已用于其他请求"
	// RequestIsInvalid says that the request is not well-formed HTTP.
	RequestIsInvalid Error = "请求格式错误"
	// RequestIsTooSlow says that the request did not arrive whole in time.
	RequestIsTooSlow Error = "请求超时"
	// HeaderIsTooLong says that the request line and headers are over the limit of bytes.
	HeaderIsTooLong Error = "请求头太长"
	// RouteNotFound says that no route has this path.
	RouteNotFound Error = "路由未找到"
	// MethodNotAllowed says that the route has no such method; the Allow header lists those it has.
	MethodNotAllowed Error = "请求方法不允许"
	// NotAuthenticated says that this server asks for a token, and the request has none, or one that is not valid (now).
	NotAuthenticated Error = "未认证"
	// NotAllowed says that the client may not do this: its token is for another key or role, or somebody else holds the role.
	NotAllowed Error = "没有权限"
	// HTTPSIsRequired says that the request came over plain HTTP to a server that takes HTTPS only; everybody on the way could read
	// what it said.
	HTTPSIsRequired Error = "必须使用HTTPS"
	// TooManyRequests says that the client asks too often, or has as many sessions as one client has memory for; Retry-After says when to ask
	// again.
	TooManyRequests Error = "请求太频繁"
	// ServerIsOverloaded says that this server has as many connections, waiting requests or large bodies as it takes; ask again soon.
	ServerIsOverloaded Error = "服务过载"
	// ServerIsShuttingDown says that this server ends; ask again, and another one may answer.
	ServerIsShuttingDown Error = "服务正在关闭"
	// InternalError says that this server has a bug.
	InternalError Error = "服务器内部错误"
)

// Status returns the HTTP status of the reply that carries e. A client that follows the protocol meets some of the texts all the same. Their
// status is 200: "nothing there yet" is an answer.
func (e Error) Status() int {
	switch e {
	case "", KeyNotFound, KeyIsExpired, SdpNoValues, SdpAlreadyExist, CandidateNoValues:
		return 200
	case KeyIsEmpty, KeyIsTooLong, DataIsEmpty, BodyIsEmpty, BodyIsNotUTF8, BodyIsNotJSON,
		CursorIsInvalid, WaitIsInvalid, IdempotencyKeyIsInvalid, RequestIsInvalid:
		return 400
	case NotAuthenticated:
		return 401
	case NotAllowed, HTTPSIsRequired:
		return 403
	case RouteNotFound:
		return 404
	case MethodNotAllowed:
		return 405
	case RequestIsTooSlow:
		return 408
	case BodyIsTooLong:
		return 413
	case BodyIsCompressed:
		return 415
	case IdempotencyKeyIsReused:
		return 422
	case QueueIsFull, TooManyRequests:
		return 429
	case HeaderIsTooLong:
		return 431
	case CacheOverrunMaxCost, StoreIsUnavailable, ServerIsOverloaded, ServerIsShuttingDown:
		return 503
	default: // CtxIsEmpty, InternalError, and the texts for the log: a client that gets one has found a bug of this server
		return 500
	}
}

// Of returns the msg that err carries: the first Error in its chain, "" for nil, and InternalError for a stranger.
func Of(err error) Error {
	if err == nil {
		return ""
	}
	if e, ok := err.(Error); ok { // first, because errors.As allocates
		return e
	}
	var e Error
	if errors.As(err, &e) {
		return e
	}
	return InternalError
}
