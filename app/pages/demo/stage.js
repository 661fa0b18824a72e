// The stage: the other side's video, with one's own in its corner. It is there only while there is something to see.

import { openCamera, closeCamera } from './camera.js';
import { $ } from './view.js';

export class Stage extends EventTarget {
  #stream; // of this side's camera, if it is on
  #wanted = 0; // counts turns of the switch: the browser may take its time to ask for leave
  #isTheirsOn = false;

  /** Events: camera {stream} when it was turned on or off, trouble {text}: what to say of it. */
  constructor() {
    super();
    $('camera').addEventListener('click', () => { if (this.isOn) this.turnOff(); else this.#turnOn(); });
    $('microphone').addEventListener('click', () => this.#mute());
    $('sound').addEventListener('click', () => {
      $('remote').muted = false;
      this.#play();
      $('camera').focus(); // this button goes
    });
    $('remote').addEventListener('resize', () => { // a picture has come; a program does not say so beforehand
      if ($('remote').videoWidth > 0) this.theirs(true);
    });
  }

  get stream() { return this.#stream; }
  get isOn() { return $('camera').getAttribute('aria-checked') === 'true'; }

  async #turnOn() {
    const mine = ++this.#wanted;
    this.#set(true);
    this.dispatchEvent(new CustomEvent('trouble', { detail: { text: '' } }));
    try {
      const stream = await openCamera();
      if (mine !== this.#wanted) return closeCamera(stream);
      this.#use(stream);
      for (const track of stream.getTracks()) track.addEventListener('ended', () => { if (this.#stream === stream) this.turnOff(); });
    } catch (error) {
      if (mine !== this.#wanted) return;
      this.turnOff();
      this.dispatchEvent(new CustomEvent('trouble', { detail: { text: error.text ?? 'cameraFailed' } }));
    }
  }

  turnOff() {
    this.#wanted++;
    this.#set(false);
    closeCamera(this.#stream);
    if (this.#stream) this.#use(undefined);
  }

  /** Shows what the other side sends, from when it says so, or from the first picture. */
  take(stream) {
    if ($('remote').srcObject === stream) return;
    $('remote').srcObject = stream;
    this.#play();
  }

  /** The other side has turned its camera on, or off. */
  theirs(on) {
    this.#isTheirsOn = on;
    this.#show();
  }

  /** The call is over. This side's camera stays on: it may be the same call that goes on. */
  clear() {
    $('remote').srcObject = null;
    $('remote').muted = false;
    $('sound').hidden = true;
    this.theirs(false);
  }

  #use(stream) {
    this.#stream = stream;
    $('local').srcObject = stream ?? null;
    this.#show();
    this.dispatchEvent(new CustomEvent('camera', { detail: { stream } }));
  }

  #set(on) {
    $('camera').setAttribute('aria-checked', String(on));
    $('microphone').hidden = !on;
    $('microphone').setAttribute('aria-pressed', 'false');
  }

  #mute() {
    const muted = $('microphone').getAttribute('aria-pressed') !== 'true';
    $('microphone').setAttribute('aria-pressed', String(muted));
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** A browser may refuse sound on a page that nobody has touched. Then the picture runs without it, and a button offers it. */
  async #play() {
    try {
      await $('remote').play();
      $('sound').hidden = !$('remote').muted;
    } catch (error) {
      if (error.name !== 'NotAllowedError' || $('remote').muted) return;
      $('remote').muted = true;
      await this.#play();
    }
  }

  #show() {
    const both = { theirs: this.#isTheirsOn, mine: Boolean(this.#stream) };
    $('stage').hidden = !both.theirs && !both.mine;
    $('remote').hidden = !both.theirs;
    $('local').hidden = !both.mine;
    $('talk').classList.toggle('with-video', !$('stage').hidden);
    this.dispatchEvent(new CustomEvent('shown'));
  }
}
