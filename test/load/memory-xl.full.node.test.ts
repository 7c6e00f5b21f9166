import { afterAll, beforeAll, expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { gpt2Xl, type NoiseServer, serveNoise } from './noise-server.ts';

const megabyte = 2 ** 20;

let server: NoiseServer;
beforeAll(async () => {
  server = await serveNoise(gpt2Xl, 4);
});
afterAll(() => server.close());

test('GPT-2 XL, 6 GB of F32 in four shards, streams to q4 in little more memory than q4 takes', async () => {
  const before = process.memoryUsage();
  const peak = { heap: 0, rss: 0 };
  const sample = () => {
    const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
    peak.heap = Math.max(peak.heap, heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers);
    peak.rss = Math.max(peak.rss, rss - before.rss);
  };
  const timer = setInterval(sample, 20);
  const begun = performance.now();
  const model = await load(server.url, { device: 'wasm', dtype: 'q4', contextLength: 64, onProgress: sample });
  const seconds = (performance.now() - begun) / 1000;
  clearInterval(timer);
  const { bytes } = model.device;
  const { usage } = await model.complete('The', { maxNewTokens: 2 });
  const figures = [server.bytes, bytes, peak.heap, peak.rss].map((count) => (count / megabyte).toFixed(0));
  console.log(
    `${figures[0]} MiB of F32 to ${figures[1]} MiB of q4 in ${seconds.toFixed(0)} s: ` +
      `heap and array buffers +${figures[2]} MiB, resident set +${figures[3]} MiB`,
  );
  expect(usage.completion).toBe(2);
  expect(server.bytes).toBeGreaterThan(6e9);
  expect(peak.heap).toBeLessThan(150 * megabyte);
  expect(peak.rss).toBeLessThan(bytes + 300 * megabyte);
  model.dispose();
});
