// Counts what a token asks of the GPU. The device is wrapped where it is made, so that this works for every peer.
import { randomText } from './measure.mjs';

/** Tokens of a text after which nothing more needs to be made for it. */
const settled = 8;

/** Opens a peer on a wrapped device; gives both. Devices asked for later are not wrapped. */
async function openCounted(open, row, countingDevice) {
  let counting;
  const adapter = globalThis.GPUAdapter.prototype;
  const { requestDevice } = adapter;
  adapter.requestDevice = async function (...args) {
    counting = countingDevice(await requestDevice.apply(this, args));
    return counting.device;
  };
  try {
    const peer = await open(row);
    return { peer, counting };
  } finally {
    adapter.requestDevice = requestDevice;
  }
}

/**
 * Counts for each decoded token, by the names of `DeviceCounts`: what a long text takes beyond a short one. `busyMs`, if
 * given, tells how long JavaScript has run so far; the result has it as `scriptMs`.
 * @param {import('./adapters/adapter.d.ts').Open} open
 */
export async function count(open, row, { tokens, words, countingDevice, busyMs = async () => 0 }) {
  const { peer, counting } = await openCounted(open, row, countingDevice);
  counting.loaded();
  let texts = 0;
  const countsOf = async (length) => {
    counting.reset();
    const begun = await busyMs();
    await peer.generate(randomText(16, ++texts, words), length, () => {});
    return { ...counting.counts, scriptMs: (await busyMs()) - begun };
  };
  await countsOf(2); // compiles
  const short = await countsOf(settled);
  const long = await countsOf(settled + tokens);
  await peer.close();
  return Object.fromEntries(Object.entries(long).map(([name, value]) => [name, (value - short[name]) / tokens]));
}
