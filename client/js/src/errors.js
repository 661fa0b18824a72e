// The errors that callers see, and the msg texts of the server.

/** By code, which is the name in custerrors: the server's msg text, and a sentence for a person. */
const MSGS = {
  KeyIsEmpty: ['key为空', 'No key was given.'],
  KeyIsTooLong: ['key太长，长度不能超过32位', 'The key is too long: 32 characters are allowed.'],
  KeyNotFound: ['key未找到', 'No session with this key is open.'],
  KeyIsExpired: ['key已过期', 'The session with this key has ended.'],
  CtxIsEmpty: ['ctx为空', 'The server has a bug: it lost the key of a request.'],
  CacheOverrunMaxCost: ['缓存超出MaxCost，服务已达到最大负载', 'The server is full: it takes no new session just now.'],
  CacheOnEvictNoGetKey: ['缓存OnEvict回调，无法获取原始key', 'The server has a bug: an eviction names no key.'],
  QueueNewFailBecauseAlreadyExists: ['队列创建失败，因为已经存在', 'The server has a bug: a queue is there already.'],
  QueueGetFailBecauseNotExists: ['队列获取失败，因为不存在', 'The server has a bug: a queue is not there.'],
  QueueIsFull: ['队列已满', 'The session has no room for more candidates.'],
  DataIsEmpty: ['data为空', 'The offer is empty.'],
  BodyIsEmpty: ['body为空', 'There is nothing in the message.'],
  BodyIsNotUTF8: ['body不是有效的UTF-8', 'The message is not valid text.'],
  BodyIsCompressed: ['body被压缩', 'The message is compressed, and the server takes none that are.'],
  BodyIsNotJSON: ['body不是有效的JSON', 'The message is not the JSON that the server asks for.'],
  BodyIsTooLong: ['body太长', 'The message is too long for this server.'],
  SdpNoValues: ['sdp没有值', 'The description of the other side is not there.'],
  SdpAlreadyExist: ['sdp已存在', 'This key is in use: the place has been taken by somebody else.'],
  CandidateNoValues: ['candidate没有值', 'No candidate of the other side is there.'],
  CursorIsInvalid: ['cursor无效', 'The place to go on reading from is not one of this session.'],
  WaitIsInvalid: ['wait无效', 'The time to wait is not a number of seconds.'],
  IdempotencyKeyIsInvalid: ['Idempotency-Key无效，必须是1到64个可见ASCII字符', 'The Idempotency-Key of the request is not valid.'],
  IdempotencyKeyIsReused: ['Idempotency-Key已用于其他请求', 'The Idempotency-Key of the request was used for another request.'],
  RequestIsInvalid: ['请求格式错误', 'The request did not arrive as well-formed HTTP.'],
  RequestIsTooSlow: ['请求超时', 'The request took too long to arrive.'],
  HeaderIsTooLong: ['请求头太长', 'The address and headers of the request are too long.'],
  RouteNotFound: ['路由未找到', 'The server has no such address: is the URL right?'],
  MethodNotAllowed: ['请求方法不允许', 'The server does not allow this here: is the URL right?'],
  NotAuthenticated: ['未认证', 'The server asks for a token, and this one is missing or not valid.'],
  NotAllowed: ['没有权限', 'The server does not allow this.'],
  HTTPSIsRequired: ['必须使用HTTPS', 'The server is to be asked over HTTPS: the URL begins with https.'],
  TooManyRequests: ['请求太频繁', 'There were too many requests in a short time.'],
  ServerIsOverloaded: ['服务过载', 'The server has too much to do just now.'],
  ServerIsShuttingDown: ['服务正在关闭', 'The server is being restarted.'],
  StoreIsUnavailable: ['存储不可用', 'The server cannot reach its store just now.'],
  InternalError: ['服务器内部错误', 'The server has a bug.'],
  // This side finds these out: the server has no text for them.
  Unreachable: ['', 'The signaling server cannot be reached.'],
  NoAnswer: ['', 'No answer of the signaling server came in time: the network is slow, or other tabs wait for the same server. Over ' +
    'HTTP/1.1 a browser lets six requests wait, and holds back all others.'],
  BrokenAnswer: ['', 'What answered is not a signaling server, or the answer was cut short.'],
  NoStream: ['', 'Server-sent events do not get through to here.'],
  Unknown: ['', 'The server says something that this client does not know.'],
};

const CODES = new Map(Object.entries(MSGS).map(([code, [text]]) => [text, code]));

export class SignalError extends Error {
  constructor(code, { msg = MSGS[code][0], status = 0, retryAfter = 0, request = '', cause } = {}) {
    super(MSGS[code][1] + (code === 'Unknown' ? ` (${msg})` : ''), { cause });
    this.name = 'SignalError';
    this.code = code;
    this.msg = msg;
    this.status = status;
    this.retryAfter = retryAfter;
    this.request = request;
  }
}

/** Returns the code of a msg of the server. */
export function codeOf(msg) {
  return msg === '' ? 'BrokenAnswer' : CODES.get(msg) ?? 'Unknown';
}

/** Returns the error that carries a msg of the server. */
export function refusal(msg, details) {
  return new SignalError(codeOf(msg), { msg, ...details });
}

const SEAL_ERRORS = {
  NoSecret: 'The secret is empty.',
  NotSealed: 'The other side did not seal its message: it has not been given the secret.',
  Sealed: 'The other side sealed its message: the same secret is needed here.',
  Broken: 'A message of the other side does not open: its secret is another one, or the message was changed on its way.',
  Order: 'A message was sealed or opened before the description that it belongs to.',
  Unavailable: 'Sealing needs WebCrypto, which browsers have on https pages and on localhost only.',
};

export class SealError extends Error {
  constructor(code, options) {
    super(SEAL_ERRORS[code], options);
    this.name = 'SealError';
    this.code = code;
  }
}

export class ConnectError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'ConnectError';
    this.code = code;
  }
}

/** Reports whether an error says that the other side has not written yet what was asked for. */
export const isNothingYet = (error) => error?.code === 'SdpNoValues' || error?.code === 'CandidateNoValues';

/** Reports whether an error says that the session does not exist: it is not open yet, or has ended. */
export const isOver = (error) =>
  error?.code === 'KeyNotFound' || error?.code === 'KeyIsExpired' || error?.code === 'CursorIsInvalid';
