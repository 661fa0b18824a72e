import { connect } from './signal.js';

const $ = (id) => document.getElementById(id);
let channel;

/** Connects to Pion, in the given role of this page. */
async function call(role) {
  const { url, key } = await (await fetch(`call?role=${role}`, { method: 'POST' })).json();
  const pc = new RTCPeerConnection();
  pc.onconnectionstatechange = () => { $('state').textContent = pc.connectionState; };
  pc.ontrack = ({ streams: [stream] }) => { $('video').srcObject = stream; };
  if (role === 'offer') {
    pc.addTransceiver('video', { direction: 'recvonly' });
    use(pc.createDataChannel('echo'));
  } else {
    pc.ondatachannel = ({ channel }) => use(channel);
  }
  await connect(pc, { url, key, role });
}

function use(opened) {
  channel = opened;
  channel.onopen = () => { $('text').disabled = false; };
  channel.onmessage = ({ data }) => {
    const echo = document.createElement('li');
    echo.textContent = data;
    $('echoes').append(echo);
  };
}

for (const role of ['offer', 'answer']) {
  $(role).onclick = () => call(role).catch((error) => { $('state').textContent = error.message; });
}
$('say').onsubmit = (event) => {
  event.preventDefault();
  channel.send($('text').value);
  $('text').value = '';
};
