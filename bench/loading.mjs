// Time to the first token, bytes downloaded and peak memory of a first and of a second visit, for Vitrine and for
// transformers.js with the same weights, on the processor:
//   node bench/loading.mjs
// Writes a table in Markdown. The model files are those that `npm run bench` makes in .cache/bench.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser } from '../scripts/browser.mjs';
import { serve } from '../scripts/serve.mjs';

const root = join(import.meta.dirname, '..');

/** Vitrine reads the checkpoint itself, and q4 from GGUF; transformers.js what bench/onnx.mjs wrote of it. */
const visits = [
  { peer: 'vitrine', weights: 'f32', model: '.cache/gpt2-small/' },
  { peer: 'transformers', weights: 'fp32', model: 'gpt2-small' },
  { peer: 'vitrine', weights: 'q4', model: '.cache/bench/gpt2-small-q4_0.gguf' },
  { peer: 'transformers', weights: 'q4', model: 'gpt2-small' },
];
const needed = ['.cache/gpt2-small', '.cache/bench/gpt2-small-q4_0.gguf', '.cache/bench/gpt2-small/onnx/model_q4.onnx'];

/** The project's files, and how many bytes of them went over the wire. */
async function openWire() {
  const files = await serve(root);
  const { port } = new URL(files.url);
  const wire = { sent: 0, url: '', close: () => {} };
  const server = createServer((socket) => {
    const through = connect(Number(port), 'localhost').on('data', (bytes) => {
      wire.sent += bytes.length;
    });
    for (const end of [socket, through]) end.on('error', () => socket.destroy());
    socket.pipe(through).pipe(socket);
  });
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  wire.url = `http://localhost:${server.address().port}/`;
  wire.close = () => {
    server.close();
    return files.close();
  };
  return wire;
}

/** The largest resident set of a page's process in bytes, as Linux counts it. */
async function peakOf(context) {
  const session = await context.browser().newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const peaks = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(async ({ id }) => Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${id}/status`, 'utf8'))?.[1]) * 1024);
  return Math.max(...(await Promise.all(peaks)));
}

/** One visit with a profile: from the page that is there to the first token. */
async function visit(wire, profile, job) {
  const args = [...chromiumFlags];
  const context = await chromium.launchPersistentContext(profile, { executablePath: await findBrowser(), args });
  try {
    const page = await context.newPage();
    await page.goto(`${wire.url}bench/row.html`);
    const before = wire.sent;
    const result = await page.evaluate(
      (sent) =>
        new Promise((resolve, reject) => {
          const worker = new Worker('./loading-worker.mjs', { type: 'module' });
          worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
          worker.onerror = ({ message }) => reject(new Error(message || 'the worker did not start'));
          worker.postMessage(sent);
        }),
      job,
    );
    return { ...result, bytes: wire.sent - before, peak: await peakOf(context) };
  } finally {
    await context.close();
  }
}

const missing = needed.filter((path) => !existsSync(join(root, path)));
if (missing.length) throw new Error(`There is no ${missing.join(', ')}: run npm run bench first.`);
const threads = cpus().length;
const wire = await openWire();
console.log('| | weights | visit | first token | downloaded | peak of the process |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const job of visits) {
  const profile = await mkdtemp(join(tmpdir(), 'loading-'));
  for (const which of ['first', 'second']) {
    const { about, firstToken, bytes, peak } = await visit(wire, profile, { ...job, threads });
    const [megabytes, mebibytes] = [bytes / 1e6, peak / 2 ** 20];
    console.log(
      `| ${about} | ${job.weights} | ${which} | ${(firstToken / 1000).toFixed(1)} s | ${megabytes.toFixed(1)} MB | ` +
        `${mebibytes.toFixed(0)} MiB |`,
    );
  }
  await rm(profile, { recursive: true });
}
await wire.close();
