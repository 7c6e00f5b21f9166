// What stands between a visitor and the first token, on the processor, in three parts:
//   node bench/loading.mjs [page] [first] [visits] [--runs N] [--beside FOLDER]
// page: the built page's first visit, from its navigation to its first token. first: 500 MB of float32 from a server here into q8, beside
// fetching, hashing and storing these bytes as plainly as can be. visits: a first and a second visit beside transformers.js with the same
// weights: time to the first token, bytes downloaded, peak memory. Writes Markdown. The model files are those that `npm run bench` makes.
// beside: another build's dist/ inside the project's folder, in turns with this one.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser } from '../scripts/browser.mjs';
import { serve } from '../scripts/serve.mjs';
import { modelOf } from './models.mjs';

const root = join(import.meta.dirname, '..');

/** Vitrine reads the checkpoint itself, and q4 from GGUF; transformers.js what bench/onnx.mjs wrote of it. */
const visits = [
  { peer: 'vitrine', weights: 'f32', model: '.cache/gpt2-small/' },
  { peer: 'transformers', weights: 'fp32', model: 'gpt2-small', needs: 'gpt2-small/onnx/model.onnx' },
  { peer: 'vitrine', weights: 'q4', model: '.cache/bench/gpt2-small-q4_0.gguf', needs: 'gpt2-small-q4_0.gguf' },
  { peer: 'transformers', weights: 'q4', model: 'gpt2-small', needs: 'gpt2-small/onnx/model_q4.onnx' },
];

const parts = { page: measurePage, first: measureFirst, visits: measureVisits };
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '3' }, beside: { type: 'string' } },
});
const wanted = positionals.length > 0 ? positionals : Object.keys(parts);
const runs = Number(values.runs);
const threads = availableParallelism();
/** This build, and the one that it is compared with. */
const builds = ['dist', ...(values.beside ? [values.beside] : [])];

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

/** The project's files, and how many bytes of them went over the wire. */
async function openWire(folder = root) {
  const files = await serve(folder);
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

/** The largest resident set of a browser's pages in bytes, as Linux counts it, and the seconds of processor time that they took. */
async function costOf(address) {
  const browser = await chromium.connectOverCDP(address);
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const pages = processInfo.filter(({ type }) => type === 'renderer');
  const peaks = pages.map(
    async ({ id }) => Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${id}/status`, 'utf8'))?.[1]) * 1024,
  );
  const cost = {
    peak: Math.max(...(await Promise.all(peaks))),
    worked: pages.reduce((sum, { cpuTime }) => sum + cpuTime, 0),
  };
  await session.send('Browser.close').catch(() => {}); // as a visitor does, so that the profile keeps what it has
  return cost;
}

/**
 * One job of the worker with a profile, from the page that is there on, in a browser that no debugger looks into before it is done: Playwright's
 * has each answer of less than 10 MB copied, which doubles what fetching in parts costs.
 */
async function visit(url, profile, job) {
  const teller = createHttpServer();
  await new Promise((resolve) => teller.listen(0, 'localhost', resolve));
  const told = new Promise((resolve) => {
    teller.on('request', async (request, response) => {
      const body = await text(request);
      response.writeHead(204, { 'Access-Control-Allow-Origin': '*' }).end();
      resolve(JSON.parse(body));
    });
  });
  const asked = new URLSearchParams({ job: JSON.stringify(job), teller: `http://localhost:${teller.address().port}/` });
  const flags = [...chromiumFlags, '--headless=new', '--remote-debugging-port=0', `--user-data-dir=${profile}`];
  const browser = spawn(await findBrowser(), [...flags, `${url}bench/loading.html?${asked}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = new Promise((resolve) => browser.on('exit', resolve));
  const address = new Promise((resolve) => {
    createInterface(browser.stderr).on('line', (line) => {
      const found = /ws:\S+/.exec(line);
      if (found) resolve(found[0]);
    });
  });
  try {
    const result = await Promise.race([told, gone.then((code) => ({ error: `The browser ended (${code}).` }))]);
    if (result.error) throw new Error(result.error);
    const cost = await costOf(await address);
    await gone;
    return { ...result, ...cost };
  } finally {
    browser.kill();
    teller.close();
  }
}

const newProfile = () => mkdtemp(join(tmpdir(), 'loading-'));

/** The page's own first token, asked for as soon as it can be, in a browser that is open already, with nothing of the page in it. */
async function measurePage() {
  const files = await serve(join(root, 'site'));
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: [...chromiumFlags] });
  const times = [];
  try {
    for (let run = 0; run <= runs; run++) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.addInitScript(() => {
        let asked = false;
        const watch = new MutationObserver(() => {
          const button = [...document.querySelectorAll('button')].find(({ textContent }) =>
            /^Complete/.test(textContent),
          );
          if (!asked && button && !button.disabled) {
            asked = true; // a visitor who asks at once
            button.click();
          }
          if (document.querySelector('.flow .model')?.textContent) globalThis.firstToken ??= performance.now();
        });
        watch.observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
      });
      await page.goto(`${files.url}#device=wasm`);
      const first = await page.waitForFunction(() => globalThis.firstToken, undefined, { timeout: 60_000 });
      if (run > 0) times.push(await first.jsonValue()); // the first warms the browser up
      await context.close();
    }
  } finally {
    await browser.close();
    await files.close();
  }
  console.log(
    `\nThe page's first token on a first visit: ${seconds(median(times))} (${times.map(seconds).join(', ')})`,
  );
}

/** Vitrine's load beside what has to be done with the bytes at the least, in turns. */
async function measureFirst() {
  const model = modelOf({ model: '' });
  const wire = await serve(root);
  const found = new Map([['bytes', []], ...builds.map((dist) => [dist, []])]);
  for (let run = 0; run < runs; run++)
    for (const [dist, times] of found) {
      const profile = await newProfile();
      const peer = dist === 'bytes' ? dist : 'vitrine';
      times.push(await visit(wire.url, profile, { peer, dist, weights: 'q8', model, isLoad: true }));
      await rm(profile, { recursive: true });
    }
  await wire.close();
  const least = found.get('bytes');
  const list = (times) =>
    times.map(({ firstToken, worked }) => `${seconds(firstToken)} (${worked.toFixed(1)} of the processor)`).join(', ');
  console.log(`\n500 MB of float32 fetched, hashed and stored: ${list(least)}; loaded into q8:`);
  for (const dist of builds) {
    const ratios = found.get(dist).map(({ firstToken }, i) => firstToken / least[i].firstToken);
    const each = ratios.map((ratio) => ratio.toFixed(2)).join(', ');
    console.log(`${dist}: ${list(found.get(dist))}: ${median(ratios).toFixed(2)} of it (${each})`);
  }
}

/** Each peer's first visit, then second ones in turns, each with the profile that its first one left. */
async function measureVisits() {
  for (const { needs } of visits) modelOf({ model: needs ?? '' });
  const wire = await openWire();
  const profiles = await Promise.all(visits.map(newProfile));
  const times = visits.map(() => []);
  console.log('\n| | weights | visit | first token | downloaded | peak of the process |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const which of ['first', ...Array(runs).fill('second')])
    for (const [i, { needs: _, ...job }] of visits.entries()) {
      const before = wire.sent;
      const { about, firstToken, peak } = await visit(wire.url, profiles[i], { ...job, threads });
      const megabytes = (wire.sent - before) / 1e6;
      if (which === 'second') times[i].push(firstToken);
      console.log(
        `| ${about} | ${job.weights} | ${which} | ${seconds(firstToken)} | ${megabytes.toFixed(1)} MB | ` +
          `${(peak / 2 ** 20).toFixed(0)} MiB |`,
      );
    }
  for (const profile of profiles) await rm(profile, { recursive: true });
  await wire.close();
  for (let i = 0; i < visits.length; i += 2) {
    const ratios = times[i].map((ms, run) => times[i + 1][run] / ms);
    const each = ratios.map((ratio) => ratio.toFixed(2)).join(', ');
    console.log(
      `\nA second visit, ${visits[i].weights}: transformers.js takes ${median(ratios).toFixed(2)} times as long (${each}).`,
    );
  }
}

for (const name of wanted)
  if (!parts[name]) throw new Error(`There is no part ${name}: ${Object.keys(parts).join(', ')}.`);
if (!existsSync(join(root, 'dist/vitrine.js'))) throw new Error('Run npm run build first.');
console.log(`${threads} cores, load ${loadavg()[0].toFixed(1)}`);
for (const name of wanted) await parts[name]();
