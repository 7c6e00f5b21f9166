// Counts what a token asks of the GPU. The device is wrapped where it is made, so that this works for every peer.
import { randomText } from './measure.mjs';

/** Wraps every device that will be made; returns a function that gives the last one. */
function wrapDevices(countingDevice) {
  let last;
  const adapter = globalThis.GPUAdapter.prototype;
  const { requestDevice } = adapter;
  adapter.requestDevice = async function (...args) {
    last = countingDevice(await requestDevice.apply(this, args));
    return last.device;
  };
  return () => last;
}

/**
 * Counts for each decoded token, by the names of `DeviceCounts`: what a long text takes beyond a short one. `busyMs`, if
 * given, tells how long JavaScript has run so far; the result has it as `scriptMs`.
 * @param {import('./adapters/adapter.d.ts').Open} open
 */
export async function count(open, row, { tokens, words, countingDevice, busyMs = async () => 0 }) {
  const counting = wrapDevices(countingDevice);
  const peer = await open(row);
  counting().loaded();
  let texts = 0;
  const countsOf = async (length) => {
    counting().reset();
    const begun = await busyMs();
    await peer.generate(randomText(16, ++texts, words), length, () => {});
    return { ...counting().counts, scriptMs: (await busyMs()) - begun };
  };
  await countsOf(2); // compiles, and makes what stays
  const short = await countsOf(2);
  const long = await countsOf(2 + tokens);
  await peer.close();
  return Object.fromEntries(Object.entries(long).map(([name, value]) => [name, (value - short[name]) / tokens]));
}
