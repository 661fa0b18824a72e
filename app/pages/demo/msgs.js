// What the server's msgs mean, told to a person. A test checks that none is missing.

const MSGS = {
  'key为空': 'No key was given.',
  'key太长，长度不能超过32位': 'The key is too long: 32 characters are allowed.',
  'key未找到': 'Nobody has started a session with this key yet.',
  'key已过期': 'The session with this key has ended.',
  'ctx为空': 'The server has a bug: it lost the key of a request.',
  '缓存超出MaxCost，服务已达到最大负载': 'The server is full and takes no new session just now. Running ones go on.',
  '缓存OnEvict回调，无法获取原始key': 'The server has a bug: something was thrown out that names no key.',
  '队列创建失败，因为已经存在': 'The server has a bug: a queue is there already.',
  '队列获取失败，因为不存在': 'The server has a bug: a queue is not there.',
  '队列已满': 'The session has no room for more candidates.',
  'data为空': 'The offer is empty.',
  'body为空': 'There is nothing in the message.',
  'body不是有效的UTF-8': 'The message is not valid text.',
  'body被压缩': 'The message is compressed, and the server takes none that are.',
  'body不是有效的JSON': 'The message is not the JSON that the server asks for.',
  'body太长': 'The message is too long for this server.',
  'sdp没有值': 'The other side has not said yet how to reach it.',
  'sdp已存在': 'This place is taken: somebody started, or joined, with the same key already.',
  'candidate没有值': 'The other side has named no further address.',
  'cursor无效': 'The place to read on from does not belong to this session.',
  'wait无效': 'The time to wait is not a number of seconds.',
  'Idempotency-Key无效，必须是1到64个可见ASCII字符': 'The token that makes a repeated request harmless is not valid.',
  'Idempotency-Key已用于其他请求': 'The token that makes a repeated request harmless was used for another request.',
  '请求格式错误': 'The request did not arrive as well-formed HTTP.',
  '请求超时': 'The request took too long to arrive.',
  '请求头太长': 'The address and headers of the request are too long.',
  '路由未找到': 'The server has no such address.',
  '请求方法不允许': 'The server does not allow this method at this address.',
  '未认证': 'The server asks for a token, and this one is missing or not valid.',
  '没有权限': 'The server does not allow this.',
  '必须使用HTTPS': 'The server is to be asked over HTTPS.',
  '请求太频繁': 'There were too many requests in a short time.',
  '服务过载': 'The server has too much to do just now.',
  '存储不可用': 'The server cannot reach its store just now.',
  '服务正在关闭': 'The server is being restarted.',
  '服务器内部错误': 'The server has a bug.',
};

/** Returns what a msg means, and the msg itself if this page does not know it. */
export const meaningOf = (msg) => Object.hasOwn(MSGS, msg) ? MSGS[msg] : msg;

/** Fills the table of all msgs. */
export function listMsgs(tbody) {
  for (const [msg, meaning] of Object.entries(MSGS)) {
    const row = tbody.insertRow();
    const cell = row.insertCell();
    cell.textContent = msg;
    cell.lang = 'zh';
    row.insertCell().textContent = meaning;
  }
}
