// Counts what a token asks of the GPU. The device is wrapped where it is made, so that this works for every peer.
import { randomText } from './measure.mjs';

/** Tokens of a text after which nothing more needs to be made for it. */
const settled = 8;

/** Opens a peer on a wrapped device; gives both. Devices asked for later are not wrapped. */
export async function openCounted(open, row, countingDevice) {
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
 * given, tells how long JavaScript has run so far; the result has it, of the tokens past the settled ones, as `scriptMs`.
 * @param {import('./adapters/adapter.d.ts').Open} open
 */
export async function count(open, row, { tokens, words, countingDevice, busyMs = async () => 0 }) {
  const { peer, counting } = await openCounted(open, row, countingDevice);
  if (!counting) return peer.close(); // its device is in a worker of its own: nothing can be counted
  counting.loaded();
  let texts = 0;
  const countsOf = async (length) => {
    let [made, busySince] = [0, busyMs()];
    counting.reset();
    await peer.generate(randomText(16, ++texts, words), length, () => {
      if (++made === settled) busySince = busyMs();
    });
    return { counts: { ...counting.counts }, busy: (await busyMs()) - (await busySince) };
  };
  await countsOf(2); // compiles
  const short = await countsOf(settled);
  const long = await countsOf(settled + tokens);
  await peer.close();
  const perToken = Object.entries(long.counts).map(([name, value]) => [name, (value - short.counts[name]) / tokens]);
  return { ...Object.fromEntries(perToken), scriptMs: long.busy / tokens };
}
