// What the server's msgs mean, told to a person in English and in Chinese. A test checks that none is missing.

import { inLanguage } from './language.js';
import { element } from './view.js';

const MSGS = {
  'key为空': ['No key was given.', '没有填写 key。'],
  'key太长，长度不能超过32位': ['The key is too long: 32 characters are allowed.', 'key 太长，最多 32 个字符。'],
  'key未找到': ['Nobody has started a session with this key yet.', '还没有人用这个 key 创建会话。'],
  'key已过期': ['The session with this key has ended.', '使用这个 key 的会话已结束。'],
  'ctx为空': ['The server has a bug: it lost the key of a request.', '服务器内部错误：丢失了请求中的 key。'],
  '缓存超出MaxCost，服务已达到最大负载': ['The server is full and takes no new session just now. Running ones go on.', '服务器已满，暂不接受新会话；进行中的会话不受影响。'],
  '缓存OnEvict回调，无法获取原始key': ['The server has a bug: something was thrown out that names no key.', '服务器内部错误：被淘汰的数据没有 key。'],
  '队列创建失败，因为已经存在': ['The server has a bug: a queue is there already.', '服务器内部错误：队列已经存在。'],
  '队列获取失败，因为不存在': ['The server has a bug: a queue is not there.', '服务器内部错误：队列不存在。'],
  '队列已满': ['The session has no room for more candidates.', '会话中的 candidate 数量已达上限。'],
  'data为空': ['The offer is empty.', 'offer 是空的。'],
  'body为空': ['There is nothing in the message.', '消息内容为空。'],
  'body不是有效的UTF-8': ['The message is not valid text.', '消息不是有效的文本。'],
  'body被压缩': ['The message is compressed, and the server takes none that are.', '消息经过压缩，服务器不接受压缩内容。'],
  'body不是有效的JSON': ['The message is not the JSON that the server asks for.', '消息不是服务器要求的 JSON。'],
  'body太长': ['The message is too long for this server.', '消息太长，超过了服务器的限制。'],
  'sdp没有值': ['The other side has not said yet how to reach it.', '对方还没有发来连接信息。'],
  'sdp已存在': ['This place is taken: somebody started, or joined, with the same key already.', '位置已被占用：已有人用同一个 key 创建或加入了会话。'],
  'candidate没有值': ['The other side has named no further address.', '对方没有更多地址。'],
  'cursor无效': ['The place to read on from does not belong to this session.', '读取位置不属于这个会话。'],
  'wait无效': ['The time to wait is not a number of seconds.', '等待时间不是有效的秒数。'],
  'Idempotency-Key无效，必须是1到64个可见ASCII字符': ['The token that makes a repeated request harmless is not valid.', '幂等键无效。'],
  'Idempotency-Key已用于其他请求': ['The token that makes a repeated request harmless was used for another request.', '幂等键已用于另一个请求。'],
  '请求格式错误': ['The request did not arrive as well-formed HTTP.', '请求不是格式正确的 HTTP。'],
  '请求超时': ['The request took too long to arrive.', '请求未能及时送达服务器。'],
  '请求头太长': ['The address and headers of the request are too long.', '请求的地址和请求头太长。'],
  '路由未找到': ['The server has no such address.', '服务器上没有这个地址。'],
  '请求方法不允许': ['The server does not allow this method at this address.', '这个地址不支持该请求方法。'],
  '未认证': ['The server asks for a token, and this one is missing or not valid.', '服务器需要访问令牌，当前没有提供或令牌无效。'],
  '没有权限': ['The server does not allow this.', '客户端无权执行此操作。'],
  '必须使用HTTPS': ['The server is to be asked over HTTPS.', '必须通过 HTTPS 访问服务器。'],
  '请求太频繁': ['There were too many requests in a short time.', '短时间内请求太多。'],
  '服务过载': ['The server has too much to do just now.', '服务器当前太忙。'],
  '存储不可用': ['The server cannot reach its store just now.', '服务器暂时无法访问存储。'],
  '服务正在关闭': ['The server is being restarted.', '服务器正在重启。'],
  '服务器内部错误': ['The server has a bug.', '服务器内部错误。'],
};

/** Returns what a msg means, and the msg itself if this page does not know it. */
export const meaningOf = (msg) => (Object.hasOwn(MSGS, msg) ? inLanguage(MSGS[msg]) : msg);

/** Fills the table of all msgs. */
export function listMsgs(tbody) {
  for (const msg of Object.keys(MSGS)) {
    const row = tbody.insertRow();
    const name = element('span', '', msg);
    name.lang = 'zh-Hans';
    row.insertCell().append(name);
    row.insertCell().textContent = meaningOf(msg);
  }
}
