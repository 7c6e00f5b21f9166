// One side of a pair, in a worker of its own: answers calls, and times what it runs.
import { openCounted } from '../count.mjs';

let job;
let peer;
const adapterOf = () => import(`./${job.adapter}.mjs`);

const calls = {
  async open(asked) {
    job = asked;
    // Peers ask how many threads the machine has.
    Object.defineProperty(navigator, 'hardwareConcurrency', { value: job.threads, configurable: true });
    const { open } = await adapterOf();
    peer = await open(job);
    return { about: peer.about, ways: Object.keys(peer.ways) };
  },
  /** `found` is undefined where a way is none for this input. */
  async run(way, input) {
    const begun = performance.now();
    const found = await peer.ways[way](input);
    return { ms: performance.now() - begun, found };
  },
  profile: (input, repeats) => peer.profile(input, { repeats }),
  /** What one warm run asks of the GPU. */
  async count(way, input) {
    const [{ open }, { countingDevice }] = await Promise.all([
      adapterOf(),
      import('../../.cache/bench/lib/counting-device.mjs'),
    ]);
    const { peer, counting } = await openCounted(open, job, countingDevice);
    counting.loaded();
    await peer.ways[way](input);
    counting.reset();
    await peer.ways[way](input);
    const counts = { ...counting.counts };
    await peer.close();
    return counts;
  },
  close: () => peer.close(),
};

addEventListener('message', async ({ data: { id, call, args } }) => {
  try {
    postMessage({ id, result: await calls[call](...args) });
  } catch (error) {
    postMessage({ id, error: String(error?.stack ?? error) });
  }
});
