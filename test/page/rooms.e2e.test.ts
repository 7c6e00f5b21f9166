import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Encoder,
  type EncoderDecoder,
  load,
  loadEncoder,
  loadEncoderDecoder,
  loadVision,
  type Model,
  type Vision,
} from '../../src/index.ts';
import { openSite, type Site } from '../site.ts';
import { complaintsOf, drawn, expectClose, expectToFit, follow, violations } from './inside.ts';

const folder = (name: string) => fileURLToPath(new URL(`../../public/models/${name}/`, import.meta.url));

let site: Site;
let page: Page;
let complaints: string[];
/** Folders of models of which a weight was asked for. */
const fetched = new Set<string>();

beforeAll(async () => {
  site = await openSite();
  page = await site.newPage({ viewport: { width: 1280, height: 900 } });
  complaints = complaintsOf(page, /Failed to load resource/);
  page.on('request', (request) => {
    const [, name] = /models\/([\w-]+)\/model\.safetensors/.exec(request.url()) ?? [];
    if (name) fetched.add(name);
  });
  await page.goto(`${site.url}#device=wasm`);
  await page.getByText(/in memory/).waitFor();
});
afterAll(async () => {
  await site.close();
  expect(complaints).toEqual([]);
});

/** How far the strongest line of the chosen token ends from the middles of the two tokens that it joins. */
const offLines = () =>
  page.locator('.lines').evaluate((lines) => {
    const paths = [...lines.querySelectorAll<SVGPathElement>('path[data-strong="true"]')];
    const path = paths.reduce((a, b) => (Number(b.dataset.share) > Number(a.dataset.share) ? b : a));
    const tokens = [lines.querySelector('li[data-strong="true"]')!, lines.querySelector('[aria-checked="true"]')!];
    const off = tokens.map((token, end) => {
      const { top, height } = token.getBoundingClientRect();
      const { y } = path.getPointAtLength(end * path.getTotalLength()).matrixTransform(path.getScreenCTM()!);
      return Math.abs(y - top - height / 2);
    });
    return Math.max(...off);
  });
const button = (name: string | RegExp) => page.getByRole('button', { name });

/** Opens a model of the page by its card. */
async function openCard(name: string): Promise<void> {
  await button('Change model').click();
  await button(new RegExp(`^Open ${name},`)).click();
  await page.locator('.rail h2', { hasText: name }).waitFor();
}

const unfold = async (name: string) => {
  const heading = page.locator(`.station[data-name="${name}"] > h3 button`);
  if ((await heading.getAttribute('aria-expanded')) !== 'true') await heading.click();
};

/** Numbers that the page shows, as its elements' data say. */
const shown = (selector: string, name: string) =>
  page.locator(selector).evaluateAll((all, key) => all.map((one) => Number((one as HTMLElement).dataset[key])), name);

const softmax = (logits: ArrayLike<number>) => {
  const powers = Array.from(logits, Math.exp);
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
};

/** Of the room that is open, in one theme: each has the other's turn in another room. */
async function expectAccessible(colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  expect(await violations(page)).toEqual([]);
  await expectToFit(page);
  await page.setViewportSize({ width: 1280, height: 900 });
}

describe('the gallery', () => {
  test('says what each model does, how large it is and whose work it stands on, and fetches none of them', async () => {
    await button('Change model').click();
    const cards = page.locator('.gallery li');
    await expect.poll(() => cards.count()).toBe(6);
    const digits = page.locator('.gallery [data-model="tiny-digits"]');
    await expect
      .poll(() => digits.innerText())
      .toMatch(/Reads a digit[\s\S]*0\.2 million[\s\S]*CC BY-SA 3\.0[\s\S]*415 kB/);
    const translate = page.locator('.gallery [data-model="tiny-translate"]');
    await expect.poll(() => translate.innerText()).toContain('CC BY 2.0 FR');
    await expect.poll(() => [...fetched]).toEqual(['tiny-tales']);
    await expectAccessible('light');
    await button('Close').click();
  });
});

describe('digits', () => {
  let model: Vision;
  beforeAll(async () => {
    model = await loadVision(folder('tiny-digits'), { device: 'cpu' });
    await openCard('Tiny Digits');
  });
  afterAll(() => model.dispose());

  /** What the field shows to the model. */
  const traced = (name: string, pixels: number[]) =>
    model.trace({ data: Uint8Array.from(pixels), width: 28, height: 28, channels: 1 }, { capture: [name] });

  test('a sample is read, and what a head looks at is what trace says', async () => {
    const sample = page.locator('.sample').nth(3);
    await sample.click();
    await page.locator('.answer[data-stale="false"] .reads b', { hasText: '3' }).waitFor();
    const pixels = await sample
      .locator('canvas')
      .evaluate((canvas: HTMLCanvasElement) =>
        [...canvas.getContext('2d')!.getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0),
      );
    const name = 'blocks.3.attn.hook_pattern';
    const trace = await traced(name, pixels);
    await expectClose(() => shown('.answer .shares li', 'share'), softmax(trace.logits.data));
    const pattern = trace.get(name)!.data;
    const overlay = async () => (await drawn(page, '.overlay canvas[data-tensor]')).data;
    await expectClose(overlay, pattern.slice(1, 50));
    // Another head, from a patch, by keys alone.
    await page.getByRole('radio', { name: 'Block 3, head 0' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('.overlay .matrix').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.getByText('What the patch in row 1, column 2 reads in block 3, head 1').waitFor();
    const from = (1 * 50 + 2) * 50;
    await expectClose(overlay, pattern.slice(from + 1, from + 50));
  });

  test('a stroke of the mouse, and one of the keys, is a one', async () => {
    await button('Clear').click();
    await page.getByText('Nothing is drawn yet.').waitFor();
    const { x, y, width, height } = (await page.locator('.pad canvas').boundingBox())!;
    await page.mouse.move(x + width * 0.5, y + height * 0.2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.5, y + height * 0.8, { steps: 5 });
    await page.mouse.up();
    await page.locator('.reads b', { hasText: '1' }).waitFor();
    await button('Undo a stroke').click();
    await page.getByText('Nothing is drawn yet.').waitFor();
    await page.locator('.pad .field').focus();
    await page.keyboard.press('Space');
    for (let i = 0; i < 14; i++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Space');
    await page.locator('.reads b', { hasText: '1' }).waitFor();
    await page.keyboard.press('Backspace');
    await page.getByText('Nothing is drawn yet.').waitFor();
  });

  test('everybody can use it', async () => {
    await page.locator('.sample').nth(7).click();
    await page.locator('.answer[data-stale="false"] .reads b', { hasText: '7' }).waitFor();
    await unfold('patches');
    await unfold('blocks');
    await page.locator('.tensors canvas').first().waitFor();
    await expectAccessible('dark');
    // A wide screen has what goes on inside beside what is put in, to its very edge.
    await page.setViewportSize({ width: 1920, height: 900 });
    const edges = (of: string) => page.locator(of).evaluate((one) => one.getBoundingClientRect().toJSON() as DOMRect);
    await expect.poll(async () => (await edges('.opened')).left - (await edges('.put-in')).right).toBeGreaterThan(0);
    expect((await edges('.opened')).right).toBeGreaterThan(1800);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test('a block that could not be read is said, until another one is there', async () => {
    await page.evaluate(() => {
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = (message: { port: MessagePort }) => {
        Worker.prototype.postMessage = postMessage;
        message.port.postMessage({ failure: { code: 'out-of-memory', message: 'There is no memory.' } });
      };
    });
    const blocks = page.locator('.station[data-name="blocks"]');
    await blocks.getByRole('button', { name: 'Next block' }).click();
    await blocks.getByRole('alert').filter({ hasText: 'There is no memory.' }).waitFor();
    await blocks.getByRole('button', { name: 'Next block' }).click();
    await blocks.getByRole('alert').waitFor({ state: 'detached' });
  });
});

describe('dates', () => {
  let model: EncoderDecoder;
  const source = '4 July 1776';
  beforeAll(async () => {
    model = await loadEncoderDecoder(folder('tiny-dates'), { device: 'cpu' });
    await openCard('Tiny Dates');
    await page.locator('#source-text').fill(source);
    await page.locator('.written .text', { hasText: '1776-07-04' }).waitFor();
  });
  afterAll(() => model.dispose());

  const input = async () => {
    const { ids } = await model.complete(source);
    return { source, target: [model.config.generation.decoderStartTokenId!, ...ids.slice(0, -1)] };
  };

  test('cross-attention is drawn as lines and as a matrix, as trace has it', async () => {
    const lines = page.locator('.lines');
    await expect.poll(() => page.locator('.lines ol').innerText()).toMatch(/July/);
    const name = (await lines.getAttribute('data-tensor'))!;
    const [, head] = /head (\d+)/.exec((await lines.getAttribute('aria-label'))!)!;
    const trace = await model.trace(await input(), { capture: [name] });
    const { data, shape } = trace.get(name)!;
    const shares = data.slice(Number(head) * shape[1]! * shape[2]!, (Number(head) + 1) * shape[1]! * shape[2]!);
    await expectClose(async () => (await drawn(page, '.cross .matrix canvas')).data, shares);
    const wide = (all: Iterable<number>) => [...all].filter((share) => share >= 0.025).sort((a, b) => a - b);
    await expectClose(async () => wide(await shown('.lines path', 'share')), wide(shares));
    // The month's digits look at the month's word.
    await page.getByRole('radio', { name: 'Token 6: 7' }).click();
    await expect.poll(() => page.locator('.lines li[data-strong="true"]').innerText()).toBe('July');
    await expect.poll(offLines, { message: 'pixels between the ends of a line and its tokens' }).toBeLessThan(1);
  });

  test('beams are the sequences that complete gives', async () => {
    await unfold('beams');
    const { sequences } = await model.complete(source, { numBeams: 4, numReturnSequences: 4 });
    const ordered = (scores: number[]) => scores.sort((a, b) => a - b);
    const scores = async () => {
      const texts = await page.locator('.beam-tree .score').allInnerTexts();
      return ordered(texts.map((text) => Number(text.replace('−', '-'))));
    };
    await expectClose(scores, ordered(sequences!.map(({ score }) => score!)), 1);
    const best = () => shown('.beam-tree [data-best="true"] > .tokens > span', 'logprob');
    await expectClose(best, sequences![0]!.logprobs);
  });

  test('the lessons have the numbers of this run', async () => {
    for (const name of ['cross-attention', 'sinusoids', 'add-and-norm']) await unfold(name);
    await page.locator('[data-name="cross-attention"] td[data-value]').first().waitFor();
    const cells = await shown('[data-name="cross-attention"] tbody tr:first-child td', 'value');
    expect(cells[0]! / Math.sqrt(24)).toBeCloseTo(cells[1]!, 3); // heads are 24 wide
    const positions = await drawn(page, '[data-name="sinusoids"] canvas[data-tensor]');
    expect(positions.data[96]).toBeCloseTo(Math.sin(1), 5);
    expect(positions.data[96 + 48]).toBeCloseTo(Math.cos(1), 5);
    await page.locator('[data-name="add-and-norm"] canvas').nth(3).waitFor();
    const strip = async (name: string) =>
      (await drawn(page, `[data-name="add-and-norm"] canvas[data-tensor="encoder.0.${name}"]`)).data;
    const [before, added, sum] = [
      await strip('hook_resid_pre'),
      await strip('hook_attn_out'),
      await strip('hook_resid_mid'),
    ];
    const summed = before.map((value, i) => value + added[i]!);
    await expectClose(() => sum, summed, 4);
    const trace = await model.trace(await input(), { capture: ['encoder.0.ln1.hook_normalized'] });
    const normalized = trace.get('encoder.0.ln1.hook_normalized')!.data.slice(0, 96);
    await expectClose(() => strip('ln1.hook_normalized'), normalized);
  });

  test('everybody can use it', () => expectAccessible('light'));

  test('a link brings the room and its text back', async () => {
    await follow(page, 'device=wasm&model=tiny-dates&prompt=31.12.1999');
    await page.locator('.written .text', { hasText: '1999-12-31' }).waitFor();
    await follow(page, 'device=wasm&model=tiny-tasks&prompt=roman%3A+2024');
    await page.locator('.written .text', { hasText: 'MMXXIV' }).waitFor();
    // What is written then is in no address, and there again after a reload.
    await page.getByRole('textbox', { name: 'Text of the task' }).fill('1944');
    await page.locator('.written .text', { hasText: 'MCMXLIV' }).waitFor();
    await expect.poll(() => page.url()).not.toContain('prompt');
    await page.reload();
    await page.locator('.written .text', { hasText: 'MCMXLIV' }).waitFor();
  });
});

describe('tasks', () => {
  test('each task answers its example', async () => {
    await page.getByRole('radio', { name: 'plural' }).check({ force: true });
    await page.locator('.written .text', { hasText: 'mice' }).waitFor();
    await page.getByRole('textbox', { name: 'Text of the task' }).fill('wolf');
    await page.locator('.written .text', { hasText: 'wolves' }).waitFor();
    await page.locator('.lines ol', { hasText: 'plural' }).waitFor();
    await expect.poll(() => page.locator('[data-name="sinusoids"]').count()).toBe(0); // T5 has none
    await expectAccessible('dark');
  });
});

test('who begins to write in a room goes on in the same field', async () => {
  await openCard('Tiny Translate');
  await page.locator('.lines ol', { hasText: 'truth' }).waitFor();
  const field = page.locator('#source-text');
  await field.press('Control+A');
  await page.keyboard.type('We');
  await page.locator('.lines ol').filter({ hasNotText: 'truth' }).waitFor();
  await page.keyboard.type(' will see.');
  await page.locator('.lines ol', { hasText: 'see' }).waitFor();
  expect(await field.inputValue()).toBe('We will see.');
});

describe('blanks', () => {
  let model: Encoder;
  beforeAll(async () => {
    model = await loadEncoder(folder('tiny-blanks'), { device: 'cpu' });
    await openCard('Tiny Blanks');
  });
  afterAll(() => model.dispose());

  test('any words are taken away, and what would fit has the probabilities of fill', async () => {
    await page.locator('#blanks-text').fill('The king and the queen lived in a big castle.');
    await button('Take “king” away').click();
    const away = page.locator('.blank-words button[aria-pressed="true"]');
    for (const word of (await away.allInnerTexts()).filter((word) => word !== 'king')) {
      await button(`Put “${word}” back`).click();
    }
    await button('Take “castle” away').click();
    const fits = () => shown('.fits .shares li', 'share');
    const fill = async (masked: string) => (await model.fill(masked, { topK: 8 })).flat();
    const masks = await fill('The [MASK] and the queen lived in a big [MASK].');
    await expectClose(
      fits,
      masks.map(({ score }) => score),
    );
    await page.getByText(/^It was “castle”/).waitFor();
    await page.locator('.fits').nth(1).locator('.word').nth(1).click();
    const { token: castle } = masks[9]!;
    const area = page.locator('#blanks-text');
    await expect.poll(() => area.inputValue()).toBe(`The king and the queen lived in a big ${castle}.`);
    const left = await fill(`The [MASK] and the queen lived in a big ${castle}.`);
    await expectClose(
      fits,
      left.map(({ score }) => score),
    );
    // What is taken before the model has read again what is left goes where it was offered for.
    await page.evaluate(async () => {
      document.querySelector<HTMLElement>('.blank-words button')!.click();
      await new Promise((drawn) => setTimeout(drawn)); // it reads again 150 ms later
      document.querySelector<HTMLElement>('.fits .word')!.click();
    });
    await expect.poll(() => area.inputValue()).toContain(`The ${left[0]!.token} and the queen`);
    await button('Put “The” back').click();
  });

  test('the lessons of masked words and of packing are true', async () => {
    await page.locator('#blanks-text').fill('Once upon a time, there was a cat.');
    for (const word of await page.locator('.blank-words button[aria-pressed="true"]').allInnerTexts()) {
      await button(`Put “${word}” back`).click();
    }
    await expect.poll(() => page.locator('.lines ol').innerText()).toMatch(/time(?![\s\S]*blank)[\s\S]*cat/);
    await expect.poll(() => page.locator('.fits').count()).toBe(0);
    await unfold('masked-words');
    await button('Take each away in turn').click();
    await page.locator('[data-loss]').waitFor();
    const shares = await shown('.surprises li', 'share');
    const [masked] = await model.fill('Once upon a [MASK], there was a cat.', { targets: ['time'] });
    expect(shares[3]).toBeCloseTo(masked![0]!.score, 4); // of a text whose loss is there, so whole
    const [loss] = await shown('[data-loss]', 'loss');
    expect(loss).toBeCloseTo(shares.reduce((sum, share) => sum - Math.log(share), 0) / shares.length, 5);
    await unfold('packing');
    await page.locator('[data-difference]').waitFor();
    expect((await shown('[data-difference]', 'difference'))[0]).toBeLessThan(1e-4);
    const [padded, packed] = await shown('.batches figcaption', 'rows');
    const lengths = await page
      .locator('.rows-of:not([data-padded]) > div')
      .evaluateAll((rows) => rows.map((row) => row.children.length));
    expect(packed).toBe(lengths.reduce((a, b) => a + b, 0));
    expect(padded).toBe(Math.max(...lengths) * lengths.length);
    const texts = await page.locator('#packed-texts').inputValue();
    await page.locator('#packed-texts').fill(''); // of no text there is nothing to tell
    await page.locator('[data-difference]').waitFor({ state: 'detached' });
    await page.locator('#packed-texts').fill(texts);
    await page.locator('[data-difference]').waitFor();
    // With colours of the system's own, too, a square tells whose it is.
    await page.emulateMedia({ forcedColors: 'active' });
    const colours = () =>
      page
        .locator('.rows-of [data-text]')
        .evaluateAll((all) => new Set(all.map((one) => getComputedStyle(one).backgroundColor)).size);
    await expect.poll(colours).toBeGreaterThanOrEqual(lengths.length);
    await page.emulateMedia({ forcedColors: 'none' });
    await expectAccessible('light');
  });
});

/** A folder of the fixtures as a host of models has it, and the model chosen there. */
async function download(name: string): Promise<string> {
  const path = fileURLToPath(new URL(`../fixtures/families/${name}/`, import.meta.url));
  await page.route(`**/${name}/**`, (route) => {
    const file = join(path, route.request().url().split(`/${name}/`)[1]!);
    return existsSync(file) ? route.fulfill({ path: file }) : route.fulfill({ status: 404 });
  });
  await button('Change model').click();
  await page.locator('#hub-id').fill(`${site.url}${name}/`);
  await page.keyboard.press('Enter');
  await button('Download').click();
  return path;
}

/** Of random weights, so that no answer comes by chance; each room says what its head says, and opens what that read. */
describe('encoders whose heads sort, mark and answer', () => {
  let model: Encoder;
  const text = 'the cat sat on the mat';
  const opened = async (name: string, heading: string) => {
    model = await loadEncoder(await download(name), { device: 'cpu' });
    await page.getByRole('heading', { name: heading }).waitFor(); // the room before has such a field, too
    await page.locator('#labels-text').fill(text);
  };
  const expectShares = (shares: number[]) =>
    expectClose(() => shown('.fits[data-stale="false"] .shares li', 'share'), shares);
  /** The matrix that is drawn is one head of what `trace` gives for the same input. */
  const expectTraced = async (input: Parameters<Encoder['trace']>[0]) => {
    const names = model.tensors().flatMap(({ name }) => (name.endsWith('attn.hook_pattern') ? [name] : []));
    const trace = await model.trace(input, { capture: names });
    await expect
      .poll(async () => {
        const canvas = page.locator('.cross .matrix canvas');
        const name = await canvas.getAttribute('data-tensor'); // another head's, while the text before is drawn
        const { data: own } = await drawn(page, '.cross .matrix canvas');
        const { data, shape } = trace.get(name!)!;
        const heads = Array.from({ length: shape[0]! }, (_, head) => data.subarray(head * shape[1]! * shape[2]!));
        const isOwn = (head: Float32Array) => own.every((value, i) => Math.abs(value - head[i]!) < 1e-3);
        return own.length === shape[1]! * shape[2]! && heads.some(isOwn);
      })
      .toBe(true);
    model.dispose();
  };

  test('classes of a text', async () => {
    await opened('bert-seqcls', 'What kind of text is it?');
    const [classes] = await model.classify([text], { topK: 10 });
    await expectShares(classes!.map(({ score }) => score));
    await expect.poll(() => page.locator('.fits .word').allInnerTexts()).toEqual(classes!.map(({ label }) => label));
    await expectTraced(text);
  });

  test('what each word is', async () => {
    await opened('bert-tokcls', 'What is each word?');
    const found = await model.tag(text, { aggregate: 'simple' });
    await expectShares(found.map(({ score }) => score));
    await expectTraced(text);
  });

  test('answers in a text; what is inside is of question and text', async () => {
    await opened('bert-qa', 'Ask about a text');
    await page.getByLabel('Question').fill('who sat');
    const found = await model.answer('who sat', text, { topK: 5 });
    await expectShares(found.map(({ score }) => score));
    await expect.poll(() => page.locator('.fits .word').allInnerTexts()).toEqual(found.map(({ answer }) => answer));
    await expectTraced({ text: 'who sat', pair: text });
    await expectAccessible('light');
    await page.getByLabel('Question').fill('');
    await page.getByText('Give it a text and a question.').waitFor();
    await expect.poll(() => page.locator('.fits, .lines').count()).toBe(0);
    await page.getByLabel('Question').fill('who sat');
    await page.locator('.lines').waitFor();
  });

  test('a text that is too long is said once, in words for who wrote it', async () => {
    await opened('bert-seqcls', 'What kind of text is it?');
    await page.locator('.fits[data-stale="false"]').waitFor();
    await page.locator('#labels-text').fill(text.repeat(40));
    const failed = page.locator('.room .failed');
    await failed.filter({ hasText: 'Take some of it away.' }).waitFor();
    await page.locator('.opened[data-stale="true"]').waitFor(); // what is inside is of the text before
    expect(await failed.allInnerTexts()).toEqual([expect.not.stringMatching(/truncation|ids/)]);
    await page.locator('#labels-text').fill('');
    await page.getByText('Give it something to read.').waitFor();
    model.dispose();
  });
});

describe('a picture of the visitor’s', () => {
  const choose = (file: Parameters<ReturnType<Page['locator']>['setInputFiles']>[0]) =>
    page.locator('.picture-input input').setInputFiles(file);

  test('is seen, and what a head looks at lies over it, patch on patch', async () => {
    await download('vit');
    await page.getByText('There is no picture yet.').waitFor();
    await choose(fileURLToPath(new URL('../../public/icons/192.png', import.meta.url)));
    await page.locator('.answer[data-stale="false"] .shares').waitFor();
    await expect
      .poll(() => page.locator('.picture-input img').evaluate((image: HTMLImageElement) => image.naturalWidth))
      .toBe(192);
    const [matrix, seen] = await Promise.all(
      ['.matrix', '.seen'].map((part) => page.locator(`.overlay ${part}`).boundingBox()),
    );
    expect(matrix!.width).toBeCloseTo(seen!.width);
    expect(matrix!.height).toBeCloseTo(seen!.height);
    await expectAccessible('light');
  });

  test('that is none is said, and what is there of the one before is marked', async () => {
    await choose({ name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('not a picture') });
    await page.getByRole('alert').filter({ hasText: 'notes.png' }).waitFor();
    await page.locator('.opened[data-stale="true"]').waitFor();
  });
});

describe('a sentence encoder from elsewhere', () => {
  test('is found as what it is, ranks sentences, and shows all cosines', async () => {
    const path = await download('st-mean');
    await page.getByLabel('Compare with').waitFor();
    await page.getByLabel('Compare with').fill('the cat sat');
    await page.getByLabel('Sentences, one a line').fill('the dog sat\na cat');
    await expect
      .poll(() => page.locator('.cosines tbody th').allInnerTexts())
      .toEqual(['1 the cat sat', '2 the dog sat', '3 a cat']);
    const model = await loadEncoder(path, { device: 'cpu' });
    const vectors = await model.embed(['the cat sat', 'the dog sat', 'a cat']);
    const product = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const cosine = (a: Float32Array, b: Float32Array) => product(a, b) / Math.sqrt(product(a, a) * product(b, b));
    const cosines = vectors.flatMap((a) => vectors.map((b) => cosine(a, b)));
    await expectClose(() => shown('.cosines td[data-cosine]', 'cosine'), cosines);
    await expectClose(
      () => shown('.ranked .shares li', 'share'),
      [cosines[1]!, cosines[2]!].sort((a, b) => b - a),
    );
    model.dispose();
    await expectAccessible('dark');
    // One that is too long is no lack of sentences.
    const more = page.getByText('Give it two sentences at least.');
    await page.getByLabel('Compare with').fill('the cat sat '.repeat(40));
    await page.getByRole('alert').filter({ hasText: 'Take some of it away.' }).waitFor();
    expect(await more.count()).toBe(0);
    await page.getByLabel('Compare with').fill('');
    await page.getByLabel('Sentences, one a line').fill('a cat');
    await more.waitFor();
  });

  test('Back to writing finds the text and the model that writes', async () => {
    await button('Back to writing').click();
    await page.locator('.flow').waitFor();
    await page.locator('.rail h2', { hasText: 'Tiny Tales' }).waitFor();
    await button(/^Complete/).click();
    await page.locator('.flow .model').first().waitFor();
  });
});

describe('a model with a chat template', () => {
  let model: Model;
  let path: string;
  beforeAll(async () => {
    await follow(page, 'device=wasm&temperature=0&max-new-tokens=6');
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>('#maxNewTokens')!.value === '6');
    path = await download('qwen2');
    model = await load(path, { device: 'cpu' });
    await page.getByRole('heading', { name: 'Converse' }).waitFor();
  });
  afterAll(() => model.dispose());

  const message = () => page.getByLabel('Your message');
  const turn = (role: string, i = 0) => page.locator(`.turns li[data-role="${role}"] .content`).nth(i);
  const answered = () => page.locator('.figures-of-chat').waitFor();
  const answerTo = async (messages: { role: string; content: string }[]) => {
    let text = '';
    for await (const token of model.chat(messages, { maxNewTokens: 6, temperature: 0 })) text += token.text;
    return text;
  };

  test('answers turn by turn, by the template, and reads only what is new', async () => {
    await page.getByText('System message').click();
    await page.getByRole('textbox', { name: 'System message' }).fill('You are brief.');
    await message().fill('Hello');
    await page.keyboard.press('Enter');
    await answered();
    const said = [
      { role: 'system', content: 'You are brief.' },
      { role: 'user', content: 'Hello' },
    ];
    const first = await answerTo(said);
    await expect.poll(() => turn('assistant').innerText()).toBe(first.trim());
    await message().fill('And now?');
    await button('Send').click();
    await answered();
    const more = [...said, { role: 'assistant', content: first }, { role: 'user', content: 'And now?' }];
    await expect.poll(() => turn('assistant', 1).innerText()).toBe((await answerTo(more)).trim());
    await expect.poll(async () => (await shown('.figures-of-chat', 'cached'))[0]).toBeGreaterThan(10);
    await page.getByText('As the model reads it').click();
    const rendered = await model.chatText([...more, { role: 'assistant', content: await answerTo(more) }], {
      addGenerationPrompt: false,
    });
    await expect.poll(() => page.locator('.rendered pre').textContent()).toBe(rendered);
    await expectAccessible('dark');
  });

  test('a turn is edited, an answer made anew, and the text is a click away', async () => {
    await button('Edit turn 1').click();
    await page.getByRole('textbox', { name: 'Turn 1' }).fill('Goodbye');
    await button('Send again').click();
    await answered();
    await expect.poll(() => page.locator('.turns li').count()).toBe(2);
    await expect.poll(() => turn('user').innerText()).toBe('Goodbye');
    const before = await turn('assistant').innerText();
    await button('Answer anew').click();
    await answered();
    await expect.poll(() => turn('assistant').innerText()).toBe(before); // greedy
    await button('Write on instead').click();
    await page.locator('.flow').waitFor();
    await button('Converse').click();
    await expect.poll(() => turn('user').innerText()).toBe('Goodbye');
    await button('Begin anew').click();
    await expect.poll(() => page.locator('.turns li').count()).toBe(0);
  });
});

test('a gated model says so, with the page where its licence is accepted, and a token that goes nowhere else', async () => {
  const tokens: (string | undefined)[] = [];
  await page.route('https://huggingface.co/**', async (route) => {
    tokens.push((await route.request().allHeaders()).authorization);
    const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
    await route.fulfill({ status: route.request().method() === 'OPTIONS' ? 200 : 401, headers, body: '' });
  });
  await button('Change model').click();
  await page.locator('#hub-id').fill('meta-llama/Llama-3.2-1B');
  await page.keyboard.press('Enter');
  await page.getByText('The hub does not hand out meta-llama/Llama-3.2-1B to everyone.').waitFor();
  const link = page.getByRole('link', { name: 'Open its page on the hub' });
  expect(await link.getAttribute('href')).toBe('https://huggingface.co/meta-llama/Llama-3.2-1B');
  expect(tokens.every((token) => token === undefined)).toBe(true);
  await page.getByLabel('Access token').fill('hf_secret');
  await button('Try with the token').click();
  await expect.poll(() => tokens).toContain('Bearer hf_secret');
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href]));
  expect(kept).not.toContain('hf_secret');
  await button('Close').click();
});
