// `node bench/page/inside.mjs [--typing] [--walk minutes]`: the built page with its model opened, seeded weights in the shape of GPT-2 small on
// WebAssembly. --typing: the longest tasks of the page's main thread while a text is typed. --walk: what the page holds during a walk
// through stations, blocks, heads and tokens, minute by minute.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { chromiumFlags, findHeadless } from '../../scripts/browser.mjs';
import { serve } from '../../scripts/serve.mjs';
import { modelOf } from '../models.mjs';
import { longestTasks, threadTasks } from './tasks.mjs';

const root = join(import.meta.dirname, '../..');
const { values: asked } = parseArgs({
  options: {
    typing: { type: 'boolean' },
    walk: { type: 'string' },
    /** Stations that are open meanwhile, by their names. */
    stations: { type: 'string', default: '' },
    text: { type: 'string', default: 'The lighthouse keeper climbed the stairs every evening and' },
    device: { type: 'string', default: 'wasm' },
    /** Of the embedded model instead. */
    small: { type: 'boolean' },
  },
});

const { url, close } = await serve(process.env.VITRINE_SITE ?? join(root, 'site'));
const browser = await chromium.launch({
  executablePath: await findHeadless(),
  args: [...chromiumFlags, '--js-flags=--expose-gc'],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, serviceWorkers: 'block' });
page.setDefaultTimeout(600_000);
page.on('pageerror', (error) => console.error(error));
await page.goto(
  `${url}#device=${asked.device}&prompt=${encodeURIComponent(asked.text)}&max-new-tokens=8&inside=${asked.stations}`,
);
await page.getByText(/in memory/).waitFor();
if (!asked.small) {
  const folder = join(root, modelOf({ model: '' }));
  await page.getByRole('button', { name: 'Change model' }).click();
  const files = ['config.json', 'model.safetensors'].map((name) => join(folder, name));
  await page.locator('input[type=file]').setInputFiles(files);
  await page.getByText('12 blocks of 12 heads').waitFor();
}
const settled = () => page.locator('.whole[data-stale="false"] [data-norm]').first().waitFor();
await settled();
if (asked.typing) await measureTyping();
if (asked.walk) await measureWalk(Number(asked.walk));
await browser.close();
await close();

async function measureTyping() {
  const field = page.getByRole('textbox', { name: 'Text to look inside' });
  await field.focus();
  await page.keyboard.press('End');
  await browser.startTracing(page, {
    categories: ['toplevel', 'devtools.timeline', 'disabled-by-default-v8.gc', 'v8'],
  });
  // A typist's pace, with pauses long enough for the drawing to follow.
  for (const word of ' looked out over the dark water'.split(/(?= )/)) {
    await page.keyboard.type(word, { delay: 90 });
    await settled();
    await page.waitForTimeout(400);
  }
  const tasks = threadTasks(JSON.parse((await browser.stopTracing()).toString()));
  const { over, count, longest } = longestTasks(tasks, 50);
  console.log(`${count} tasks; of more than 50 ms of processor time: ${over.length}. The longest:`);
  for (const { cpu, wall, within } of longest)
    console.log(`${cpu.toFixed(1)} ms (${wall.toFixed(1)} on the wall): ${within}`);
}

/** Bytes of the page's heap and its array buffers, after a collection. */
async function held() {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await session.send('Runtime.getHeapUsage');
  const { nodes, jsEventListeners } = await session.send('Memory.getDOMCounters');
  await session.detach();
  const heap = usedSize + embedderHeapUsedSize;
  return { heap, buffers: backingStorageSize, nodes, listeners: jsEventListeners, process: await processBytes() };
}

/** What the page and its worker have in the machine's memory, garbage too: the resident size of their process, which Linux tells. */
async function processBytes() {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0) * 1024);
  return Math.max(...sizes);
}

/** What a visitor does, one thing after another, seeded so that walks are alike. */
async function measureWalk(minutes) {
  const started = performance.now();
  let [state, steps, minute] = [1, 0, 0];
  const chance = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
  const press = async (locator) => {
    // What is drawn anew in between is not waited for: the next deed comes soon.
    await locator.evaluateAll((all, at) => all[at % all.length]?.click(), chance(1000));
  };
  const deeds = [
    () => press(page.locator('.station > h3 > button')),
    () => press(page.locator('.block-names button')),
    () => press(page.locator('.steppers button:enabled')),
    () => press(page.locator('.ribbon [role=radio]')),
    () => press(page.locator('.part-name')),
    () => press(page.locator('.glance .heads button')),
    () => press(page.locator('.lessons ol button, .lesson .steps button')),
    () => press(page.getByRole('button', { name: /^(Complete|Undo)/ })),
    async () => {
      await page.getByRole('application').evaluateAll((all, at) => all[at % all.length]?.focus(), chance(1000));
      for (const key of ['ArrowRight', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
    },
    async () => {
      const words = ['and then', 'a small boat', 'over the hill', 'in the cold', 'who sang'];
      const field = page.getByRole('textbox', { name: 'Text to look inside' });
      await field.fill(`${asked.text} ${words[chance(words.length)]} ${words[chance(words.length)]}`);
    },
  ];
  const report = async () => {
    const { heap, buffers, nodes, listeners, process } = await held();
    const size = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
    console.log(
      `minute ${minute}: ${steps} steps; heap ${size(heap)}, buffers ${size(buffers)}, process ${size(process)}, ${nodes} nodes, ${listeners} listeners`,
    );
  };
  await report();
  while (performance.now() - started < minutes * 60_000) {
    await deeds[chance(deeds.length)]();
    steps++;
    await page.waitForTimeout(150);
    if (steps % 5 === 0) await settled();
    if (performance.now() - started > (minute + 1) * 60_000) {
      minute++;
      await fold();
      await report();
    }
  }
}

/** Only what is kept without being shown is compared from minute to minute. */
async function fold() {
  const open = '.lesson header button, .inspector header button, .station[data-open="true"] > h3 > button';
  await page.locator(open).evaluateAll((all) => {
    for (const button of all) button.click();
  });
  await settled();
}
