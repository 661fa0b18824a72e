// This side's camera and microphone. They are asked for when somebody turns them on, and for no other reason.

/** Why a camera did not start, by the name of the browser's error: the text that says so. */
const REASONS = {
  NotAllowedError: 'cameraBlocked', NotFoundError: 'cameraMissing', NotReadableError: 'cameraInUse', AbortError: 'cameraInUse',
};

/** What to ask for: a device may have a camera only, or a microphone only. */
const WISHES = [
  { video: { width: { ideal: 1280 }, height: { ideal: 720 } }, audio: true },
  { video: true },
  { audio: true },
];

/** Resolves to a stream. Rejects with an error whose text is the name of what to say. */
export async function openCamera() {
  if (!navigator.mediaDevices) throw refusal('cameraInsecure');
  let last;
  for (const wish of WISHES) {
    try {
      return await navigator.mediaDevices.getUserMedia(wish);
    } catch (error) {
      last = error;
      if (error.name !== 'NotFoundError') break;
    }
  }
  throw refusal(REASONS[last.name] ?? 'cameraFailed');
}

const refusal = (text) => Object.assign(new Error(text), { text });

export function closeCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
