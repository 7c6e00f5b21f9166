// `npm run screenshots`: pictures of the built page into docs/screenshots/, at the width of a phone, a laptop and a wide screen.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { chromiumFlags, findBrowser } from './browser.mjs';
import { serve } from './serve.mjs';

const root = join(import.meta.dirname, '..');
const out = process.env.VITRINE_SCREENSHOTS ?? join(root, 'docs/screenshots');
const widths = [390, 1280, 1920];
const text = 'prompt=Once+upon+a+time+there+was+a+little+girl+named&device=wasm';

/** What is to be seen: a link, and what is waited for. A station is pictured alone. */
const views = [
  { name: 'write', hash: '', ready: '.ghost', type: ' Lily who' },
  { name: 'write-tokens', hash: '&colour=probability', ready: '.alternatives li', type: ' Lily who', ask: true },
  { name: 'write-dark', hash: '&colour=entropy', ready: '.flow .token', dark: true },
  { name: 'gallery', hash: '', presses: ['Change model'], ready: '.gallery li' },
  { name: 'start', hash: '', press: '.start-here-slot summary', ready: '.start-here li button' },
  ...['overview', 'input', 'block', 'neuron', 'output', 'spoke', 'moved', 'touch', 'runs'].map((station) => ({
    name: `inside-${station}`,
    hash: `&inside=${station}&block=2&head=1`,
    ready: `#station-${station} :is(canvas, table, figure, .moves)`,
    element: `#station-${station}`,
  })),
  {
    name: 'inside-compare',
    hash: '&inside=compare',
    fill: ['.compare-form input[type=text]', 'Once upon a time there was a big dog named'],
    press: '.compare-form button',
    ready: '[data-best]',
    element: '#station-compare',
  },
  {
    name: 'inside-whole',
    hash: '&inside=&block=2&head=1',
    ready: '.whole [data-norm]',
    element: '.whole',
  },
  { name: 'inside-lesson', hash: '&inside=block&block=2', ready: '.lesson .words', lesson: 'Masked attention' },
];

/** Models that are taught: what is pressed one after the other, and what is waited for in the end. */
const teach = 'Teach it with your own examples';
const taught = [
  { name: 'teach', model: 'tiny-blanks', sample: 'Take the sample', ready: '.moved-heads' },
  { name: 'teach-images', model: 'tiny-digits', sample: 'Take the sample', ready: '.moved-heads, .plane' },
  { name: 'teach-pairs', model: 'tiny-dates', sample: 'Take the sample', ready: '.keep' },
  { name: 'teach-style', model: 'tiny-tales', sample: 'Take a sample', ready: '.moved-heads' },
];
for (const dark of [false, true]) {
  const end = dark ? '-dark' : '';
  const of = { dark, widths: [390, 1280] };
  for (const { name, model, sample, ready } of taught) {
    const view = { name: `${name}${end}`, hash: `&model=${model}`, ready, element: '.teach', ...of };
    views.push({ ...view, presses: [teach, sample, 'Teach it'] });
  }
  views.push({
    ...{ name: `teach-lesson${end}`, presses: [teach, /add and norm are for/], ready: '.depth' },
    ...{ element: '.teach .station', hash: '&model=tiny-blanks', ...of },
  });
}

/** The rooms of the models that do not write, in both themes. */
const rooms = [
  { model: 'tiny-digits', press: '.sample:nth-child(4)', ready: '.overlay canvas' },
  { model: 'tiny-dates', press: '.lines .written button:nth-child(6)', ready: '.lines' },
  { model: 'tiny-translate', ready: '.lines' },
  { model: 'tiny-blanks', ready: '.lines' },
  { model: 'tiny-tasks', ready: '.lines' },
].flatMap(({ model, ...room }) =>
  [false, true].map((dark) => ({
    ...room,
    name: `room-${model.slice('tiny-'.length)}${dark ? '-dark' : ''}`,
    hash: `&model=${model}`,
    dark,
    widths: dark ? [390, 1280] : widths,
  })),
);
views.push(...rooms);

mkdirSync(out, { recursive: true });
const { url, close } = await serve(process.env.VITRINE_SITE ?? join(root, 'site'));
const browser = await chromium.launch({ executablePath: await findBrowser(), args: chromiumFlags });
const only = process.argv.slice(2);
for (const width of widths) {
  for (const view of views.filter(({ name }) => only.length === 0 || only.includes(name))) {
    if (view.widths && !view.widths.includes(width)) continue;
    const context = await browser.newContext({
      viewport: { width, height: width < 600 ? 844 : 900 },
      colorScheme: view.dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    await page.goto(`${url}#${view.widths ? 'device=wasm' : text}${view.hash}`);
    await page.getByText(/in memory/).waitFor({ timeout: 60_000 });
    if (view.type) {
      await page.locator('textarea').focus();
      await page.keyboard.press('Control+End');
      await page.keyboard.type(view.type);
    }
    if (view.ask) await page.keyboard.press('Alt+ArrowDown');
    if (view.lesson) await page.locator('.lessons').getByRole('button', { name: view.lesson }).click();
    for (const name of view.presses ?? []) {
      await page.getByRole('button', { name, exact: typeof name === 'string' }).click();
    }
    if (view.fill) await page.locator(view.fill[0]).fill(view.fill[1]);
    if (view.press) await page.locator(view.press).click();
    await page.locator(view.ready).first().waitFor({ timeout: 300_000 });
    await page.waitForTimeout(1500); // what follows from the first numbers
    const path = join(out, `${view.name}-${width}.jpg`);
    const options = { path, type: 'jpeg', quality: 70 };
    if (view.element && !view.presses)
      await page.locator('.bar').evaluate((bar) => bar.style.setProperty('position', 'static'));
    if (view.element) await page.locator(view.element).screenshot(options);
    else await page.screenshot(options);
    console.log(path);
    await context.close();
  }
}
await browser.close();
await close();
