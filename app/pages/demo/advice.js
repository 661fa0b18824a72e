// What to tell a person when a call did not come about: a title, and what to do about it. In English and in Chinese.

import { inLanguage } from './language.js';
import { meaningOf } from './msgs.js';

const TRY_AGAIN = ['Try again on both sides.', '请双方都重试。'];
const LATER = ['Try again in a minute.', '请稍后重试。'];
const SAME_LINK = ['Check that both sides have opened the same link.', '请确认双方打开的是同一个链接。'];
const SAME_SECRET = ['Type the same secret on both sides: capitals and spaces count.', '请在双方输入相同的密码，注意大小写和空格。'];

/** By the error's code (of client/signal.js): its title, and what to do. */
const ADVICE = {
  SdpAlreadyExist: [['This link is in use', '链接已被占用'], [
    ['Two others are connecting by it, and a link is good for two. Start a new call, and send its link.',
      '已有两个人在用这个链接，一个链接只供两个人使用。请创建新会话并发送新链接。'],
    ['If it was you, in another tab or browser: leave the call there, or wait half a minute.', '如果是你在其他标签页或浏览器里打开的，请在那边离开，或等待半分钟。'],
  ]],
  Timeout: [['The other side did not answer in time', '对方没有及时响应'], [SAME_LINK, TRY_AGAIN]],
  IceFailed: [['No network path works', '找不到可用的网络路径'], [
    ['A VPN, or a guest Wi-Fi that keeps devices apart, has the same effect: try without it.', 'VPN 或隔离设备的访客 Wi-Fi 也会造成同样的问题，请关闭或更换后再试。'],
  ]],
  DtlsFailed: [['The connection cannot be trusted', '连接不可信任'], [
    ['Start a new call with end-to-end encryption.', '请创建新会话，并打开端到端加密。'],
  ]],
  BadPeer: [['The other side sent something strange', '对方发来的内容无法识别'], [
    ['Is the other side this page, or a program for this server?', '对方是此页面，或是为此服务器编写的程序吗？'], SAME_LINK,
  ]],
  Broken: [['The secrets do not match', '双方密码不一致'], [
    SAME_SECRET, ['If they are the same, somebody has tampered with the messages.', '如果密码相同，说明消息在途中被篡改。'],
  ]],
  NotSealed: [['The other side has no secret', '对方没有密码'], [
    ['Let the other side type the secret too, and try again.', '请让对方也输入密码，然后重试。'],
  ]],
  Unavailable: [['No encryption on this page', '此页面无法加密'], [
    ['Browsers have it only on pages that were opened by HTTPS, and on localhost: open the page there.',
      '浏览器只在通过 HTTPS 或 localhost 打开的页面上提供加密，请用这样的地址打开。'],
  ]],
  Unreachable: [['The server cannot be reached', '无法连接服务器'], [
    ['Is this device online? Is the server running?', '此设备是否联网？服务器是否在运行？'], LATER,
  ]],
  NoAnswer: [['No answer from the server', '服务器没有响应'], [
    ['If this page is open in many tabs, close some: a browser lets six of them wait for one server, unless it speaks HTTP/2.',
      '如果打开了很多标签页，请关掉一些：除非使用 HTTP/2，浏览器最多允许六个标签页同时等待同一台服务器。'], LATER,
  ]],
  BrokenAnswer: [['Something else answered', '响应不是来自此服务器'], [
    ['A proxy or a sign-in page of the network may stand between: reload this page.', '中间可能有代理或网络登录页，请刷新此页面。'],
  ]],
  CacheOverrunMaxCost: [['The server is full', '服务器已满'], [LATER]],
  NotAllowed: [['The server does not allow this', '客户端无权执行此操作'], [
    ['Perhaps two others use this link already, or your token is for another one. Start a new call.',
      '可能已有两个人在用这个链接，或者你的令牌不适用于它。请创建新会话。'],
  ]],
  HTTPSIsRequired: [['This server is asked by HTTPS only', '此服务器只接受 HTTPS'], [
    ['Open this page by its HTTPS address.', '请用 HTTPS 地址打开此页面。'],
  ]],
  ServerIsOverloaded: [['The server is busy', '服务器繁忙'], [LATER]],
  TooManyRequests: [['Too fast', '请求太频繁'], [['Wait a minute, then try again.', '请等一分钟再试。']]],
  StoreIsUnavailable: [['The server has trouble', '服务器出现故障'], [LATER]],
  ServerIsShuttingDown: [['The server is being restarted', '服务器正在重启'], [LATER]],
};

/** Where no network path works: what came of TURN servers on this side, and what to do about it. {} stands for their URLs and what was said. */
const WITHOUT_STUN = ['If the two are on different networks, name a STUN server in Settings.', '如果双方不在同一网络，请在“设置”中填写 STUN 服务器。'];
const WITHOUT_TURN = ['There was no TURN server, which relays where a firewall or a NAT stands between. Whoever runs this server can start one with --turn.',
  '没有可用的 TURN 服务器。如果双方之间有防火墙或 NAT，就需要由它中继：服务器管理员可以用 --turn 参数启用。'];
const WITHOUT_ANSWER = [['There was a TURN server, but it gave no answer: {}', '有 TURN 服务器，但没有收到它的响应：{}'],
  ['Whoever runs it: is it up, and is its port open for UDP and TCP?', '请服务器管理员检查：TURN 是否在运行，端口是否已开放 UDP 和 TCP。']];
const WITH_RELAY = [
  ['There was a TURN server, and it gave this side a relay, but nothing came through. The other side may have none, or a firewall drops what ' +
    'they send: see what the other side’s page says.',
  '有 TURN 服务器，也为本端提供了中继，但没有数据通过。可能是对方没有中继，或被防火墙拦截：请看看对方页面上的提示。'],
  ['Whoever runs the TURN server: are its relay ports open for UDP, and is its address the one that others reach?',
    '请服务器管理员检查：中继端口是否已开放 UDP，对外地址是否正确。'],
];

/** By the code of the TURN server's refusal (RFC 8656, Section 19). */
const REFUSALS = {
  401: [['There was a TURN server, but it refused the credential: {} ({})', '有 TURN 服务器，但它拒绝了凭据：{}（{}）'],
    ['Try again. If that does not help, whoever runs it compares secrets and clocks of both servers.', '请重试。如果仍然不行，请服务器管理员核对两边服务器的密钥和时间。']],
  486: [['There was a TURN server, but it gives this user no more relays: {} ({})', '有 TURN 服务器，但此用户的中继数量已达上限：{}（{}）'], LATER],
  508: [['There was a TURN server, but it has no relay left: {} ({})', '有 TURN 服务器，但它没有空闲的中继：{}（{}）'], LATER],
  701: [['There was a TURN server, but it was not reached: {} ({})', '有 TURN 服务器，但无法连接：{}（{}）'], WITHOUT_ANSWER[1]],
};
const REFUSED = [['There was a TURN server, but it gave no relay: {} ({})', '有 TURN 服务器，但它没有提供中继：{}（{}）'], TRY_AGAIN];

/** Returns what to say of TURN servers where no path works. turn is what became of them (turn.js). */
function ofRelays({ hasStun, urls, gaveRelay, errors }) {
  const known = urls.join(', ');
  if (known === '') return [...hasStun ? [] : [inLanguage(WITHOUT_STUN)], inLanguage(WITHOUT_TURN)];
  if (gaveRelay) return WITH_RELAY.map((pair) => inLanguage(pair));
  if (errors.length === 0) return [inLanguage(WITHOUT_ANSWER[0], known), inLanguage(WITHOUT_ANSWER[1])];
  return errors.flatMap(({ code, text, urls: those }) => {
    const [what, todo] = REFUSALS[code] ?? REFUSED;
    return [inLanguage(what, those.join(', '), `${code} ${text}`.trim()), inLanguage(todo)];
  });
}

const UNKNOWN = [['That did not work', '未能连接'], [TRY_AGAIN]];

/** Returns {title, text, todo} for an error of a call. met says whether the two sides knew each other by then, turn what became of TURN servers. */
export function adviceFor(error, met, turn) {
  const code = error.code === 'Timeout' && met ? 'IceFailed' : error.code;
  const known = Object.hasOwn(ADVICE, code ?? '');
  const [title, todo] = known ? ADVICE[code] : UNKNOWN;
  const text = error.msg ? meaningOf(error.msg) : known ? '' : error.message;
  const relays = code === 'IceFailed' ? ofRelays(turn) : [];
  return { title: inLanguage(title), text, todo: [...relays, ...todo.map((pair) => inLanguage(pair))] };
}
