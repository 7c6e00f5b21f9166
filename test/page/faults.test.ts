import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { WorkerModel } from '../../src/embed/client.ts';
import { load } from '../../src/index.ts';
import { announce, announcement } from '../../src/page/announce.ts';
import { explain } from '../../src/page/failure.ts';
import { fixed, inLine, spoken, typedInLine, visible } from '../../src/page/format.ts';
import { TensorCache } from '../../src/page/inside/cache.ts';
import { laterOf } from '../../src/page/inside/later.ts';
import { ask, neuron, rather, word } from '../../src/page/inside/looking.ts';
import { spreadOf } from '../../src/page/inside/stations/runs/parts.ts';
import { editsOf, giveBack, setAside, type Touch, touch, touches } from '../../src/page/inside/touch.ts';
import { shown } from '../../src/page/models.ts';
import { largest, momentsOf, patternRow, rankOf, rowOf, shareOf, softmax } from '../../src/page/shares.ts';
import { embedded } from '../../src/page/sources.ts';
import { perplexityOf, readOf, shadeOf, strengthOf } from '../../src/page/tokens.ts';
import { whyNoGpu } from '../../src/page/views/gpu-note.tsx';
import { words } from '../../src/page/views/words.ts';
import { VitrineError } from '../../src/plan/error.ts';
import type { DeviceCheck } from '../../src/run/canary/finding.ts';

const model = { config: { nLayer: 2, nHead: 2, nEmbd: 4 } } as WorkerModel;
const twin = { config: { ...model.config } } as WorkerModel;

describe('what the visitor changes', () => {
  const head: Touch = { kind: 'head', layer: 0, head: 1, factor: 0 };

  test('an activation that was patched in is of its model alone, another of the same width runs without it', () => {
    const values = new Float32Array(4);
    const patch: Touch = {
      kind: 'patch',
      layer: 0,
      name: 'blocks.0.hook_resid_pre',
      position: 0,
      values,
      model,
      from: 'a',
    };
    expect(editsOf([patch, head], model, 3)).toHaveLength(2);
    expect(editsOf([patch, head], twin, 3)).toEqual([{ name: 'blocks.0.attn.hook_z', head: 1, scale: 0 }]);
  });

  test('is set aside for a lesson, however many are opened, and back when it is closed', () => {
    touches.value = [head];
    setAside();
    touch({ kind: 'mlp', layer: 1, factor: 0 });
    setAside(); // a second lesson, without the first being closed
    expect(touches.value).toEqual([]);
    giveBack();
    expect(touches.value).toEqual([head]);
    giveBack();
    expect(touches.value).toEqual([head]);
    touches.value = [];
  });
});

test('what is said of a GPU is so: none, one in software, one that is wrong, one that failed', () => {
  const { noGpu, softwareGpu, wrongGpu, failedGpu } = words;
  expect(whyNoGpu({ reason: 'WebGPU is there, but it offers no adapter.; f16' })).toBe(noGpu);
  expect(whyNoGpu({ reason: 'The WebGPU adapter is software: SwiftShader.' })).toBe(softwareGpu);
  expect(whyNoGpu({ reason: 'x', check: { passed: false } as DeviceCheck })).toBe(wrongGpu);
  expect(whyNoGpu({ reason: 'The GPU was lost 3 times in a row: driver' })).toBe(failedGpu);
  const said = (message: string) => explain(new VitrineError('no-webgpu', message), embedded, 'load').what;
  expect(said('There is no WebGPU here.')).toMatch(/offers no GPU/);
  expect(said('binary.wgsl:12:5: expected a type')).toMatch(/cannot run the model/);
});

test('a worker that fails is no model that could not be fetched', () => {
  const ofWorker = new VitrineError('network', "The engine's worker failed: Uncaught RangeError.");
  expect(explain(ofWorker, embedded, 'run')).toMatchObject({
    what: expect.stringMatching(/in the engine/),
    waysOut: ['tryAgain'],
  });
});

test('what is said twice is read out twice', () => {
  announce('The model offers: a');
  const first = announcement.value;
  announce('The model offers: a');
  expect(announcement.value).not.toBe(first);
  expect(announcement.value.trim()).toBe(first);
  announce('The model offers: a');
  expect(announcement.value).toBe(first);
});

test('what is asked of a model by a number is forgotten with it, and stays on another device', () => {
  const open = (name: 'tiny-tales' | 'tiny-dates', device: 'wasm' | 'cpu') =>
    (shown.value = { ref: { kind: 'embedded', name }, model, device, talks: false });
  open('tiny-tales', 'wasm');
  ask({ neuron: 17 });
  ask({ word: 4, rather: 5 });
  open('tiny-tales', 'cpu');
  expect([neuron.value, word.value, rather.value]).toEqual([17, 4, 5]);
  open('tiny-dates', 'cpu');
  expect([neuron.value, word.value, rather.value]).toEqual([undefined, undefined, undefined]);
  ask({ word: 1 });
  expect([neuron.value, word.value]).toEqual([undefined, 1]);
  shown.value = undefined;
});

test('a failure is of what was asked then: nothing that is asked afterwards has failed', () => {
  const failure = new Error('once');
  const told = { value: 1, when: ['a', 0], failure, failed: ['b', 0] };
  expect(laterOf(told, ['b', 0])).toEqual({ value: 1, failure, stale: true });
  expect(laterOf(told, ['c', 0])).toEqual({ value: 1, failure: undefined, stale: true });
  expect(laterOf(told, ['a', 0])).toEqual({ value: 1, failure: undefined, stale: false });
  expect(laterOf({}, ['a'])).toEqual({ value: undefined, failure: undefined, stale: true });
});

describe('the cache of tensors', () => {
  const tensor = (bytes: number) => async () => ({ data: new Float32Array(bytes / 4), shape: [bytes / 4] });

  test('holds no more bytes than it may: what was used longest ago is read again', async () => {
    const cache = new TensorCache(1000);
    const reading = {};
    const read: string[] = [];
    const get = (name: string) =>
      cache.get(reading, name, () => {
        read.push(name);
        return tensor(400)();
      });
    await get('a');
    await get('b');
    await get('a');
    await get('c');
    expect(cache.bytes).toBe(800);
    await get('a');
    await get('b');
    expect(read).toEqual(['a', 'b', 'c', 'b']);
    expect(cache.bytes).toBeLessThanOrEqual(1000);
  });

  test('keeps what is drawn though it is larger than all it may hold, and forgets a reading that is left', async () => {
    const cache = new TensorCache(1000);
    const [one, other] = [{}, {}];
    await cache.get(one, 'large', tensor(4000));
    expect(cache.bytes).toBe(4000);
    await cache.get(other, 'small', tensor(400));
    expect(cache.bytes).toBe(400);
    cache.forget(other);
    expect(cache.bytes).toBe(0);
  });

  test('a read that fails, or that ends after its reading was left, is not kept', async () => {
    const cache = new TensorCache(1000);
    const reading = {};
    await expect(cache.get(reading, 'a', () => Promise.reject(new Error('aborted')))).rejects.toThrow('aborted');
    await cache.get(reading, 'a', tensor(400));
    expect(cache.bytes).toBe(400);
    const late = cache.get(reading, 'b', tensor(400));
    cache.forget(reading);
    await late;
    expect(cache.bytes).toBe(0);
  });
});

test('what has no width is visible in a label', () => {
  expect(visible(' a\n')).toBe('␣a↵');
  expect(visible('a\u200bb')).toBe('a⟨U+200B⟩b');
  expect(visible('\ufeff\u00ad\u202e')).toBe('⟨U+FEFF⟩⟨U+00AD⟩⟨U+202E⟩');
  expect(visible('\u00a0\u0000')).toBe('⟨U+00A0⟩⟨U+0000⟩');
  expect(visible('é雪')).toBe('é雪');
  // Made to be ignored, or blank, whatever general category it has.
  for (const one of ['\u034f', '\u115f', '\u3164', '\uffa0', '\u180b', '\ufe0f', '\u{e0101}', '\u2800', '\u061c'])
    expect(visible(one)).toMatch(/^⟨U\+[0-9A-F]{4,5}⟩$/);
  expect(visible('\u0301')).toBe('◌\u0301'); // or it would stand on what is before the label
  expect([' the', '\u200b', ' ', ''].map(spoken)).toEqual([' the', '⟨U+200B⟩', '␣', '∅']);
  expect(visible('')).toBe('∅');
});

test('shares, ranks, moments and rows are what their names say', () => {
  const logits = Float32Array.of(1, 3, 2, 3);
  const shares = softmax(logits);
  expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  expect(shareOf(logits, 2)).toBeCloseTo(shares[2]!, 6);
  expect(largest(logits, 3)).toEqual([1, 3, 2]);
  expect([0, 1, 2].map((id) => rankOf(logits, id))).toEqual([4, 1, 3]);
  expect(momentsOf(Float32Array.of(1, 3))).toEqual({ mean: 2, variance: 1 });
  expect(momentsOf(Float32Array.of(1, 3), false)).toEqual({ mean: 0, variance: 5 });
  const pattern = { data: Float32Array.from({ length: 8 }, (_, i) => i), shape: [2, 2, 2] };
  expect([...rowOf(pattern, 1)]).toEqual([4, 5, 6, 7]);
  expect([...patternRow(pattern, 1, 0)]).toEqual([4]);
  expect([...patternRow(pattern, 1, 1)]).toEqual([6, 7]);
});

test('a field of one line has line ends as signs, and such a sign of the visitor’s own stays one', () => {
  const text = 'a ↵ b\nc';
  expect(inLine(text)).toBe('a ↵ b↵c');
  expect(typedInLine(text, 'a ↵ b↵cd')).toBe('a ↵ b\ncd');
  expect(typedInLine(text, 'a ↵ b↵↵c')).toBe('a ↵ b\n\nc');
  expect(typedInLine(text, 'a b↵c')).toBe('a b\nc');
  expect(typedInLine(text, 'x')).toBe('x');
  expect(typedInLine('', '↵')).toBe('\n');
});

/** Of the two kinds that a text is no join of its tokens' own: a vocabulary that puts a token before, one that composes letters. */
test.each(['llama-gqa', 'qwen2'])('%s: what is read is what is scored, and its pieces are the text', async (name) => {
  const own = await load(`./test/fixtures/families/${name}`, { device: 'cpu' });
  const asked = own as unknown as WorkerModel;
  for (const text of [
    'ab cd',
    'e\u0301a b',
    '\u212b',
    'a\ud800b',
    '👩‍👩‍👧 x',
    'a\u0000b',
    ' x  y ',
    'שלום\r\nab',
    '',
  ]) {
    const { ids, starts } = await readOf(asked, text);
    if (text) expect(ids).toEqual((await own.score(text)).ids);
    const pieces = starts.map((start, i) => text.slice(start, starts[i + 1] ?? text.length));
    if (text) expect(pieces.join('')).toBe(text);
  }
  own.dispose();
});

test('a number that is rounded to zero is not below it', () => {
  expect([-0.004, -0.006, 0, -12, 1.5].map((value) => fixed(value, 2))).toEqual([
    '0.00',
    '−0.01',
    '0.00',
    '−12.00',
    '1.50',
  ]);
});

test('times of the same work that differ show how far apart they are', () => {
  const times = (...all: number[]) => all.map((microseconds, layer) => ({ layer, microseconds }));
  expect(spreadOf(times(10, 100, 30))).toEqual([10, 100]);
  expect(spreadOf(times(10, 15))).toBeUndefined();
  expect(spreadOf(times(10))).toBeUndefined();
});

/** WCAG's contrast of two colours, [r, g, b] each. */
function contrast(a: string, b: string): number {
  const luminance = (hex: string) => {
    const [red, green, blue] = [1, 3, 5].map((i) => {
      const value = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light! + 0.05) / (dark! + 0.05);
}

test('letters are read on the strongest surprise, the model’s too, in both themes', () => {
  const palette = readFileSync('src/page/styles/palette.css', 'utf8');
  const writing = readFileSync('src/page/styles/writing.css', 'utf8');
  const of = (name: string) => new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(palette)!.slice(1);
  const rule = /\.flow \.model\.token\[data-strength\] \{\s*color: var\(--(\w+)\)/.exec(writing)![1]!;
  for (const theme of [0, 1]) {
    expect(contrast(of(rule)[theme]!, of('surprise')[theme]!)).toBeGreaterThan(4.5);
    expect(contrast(of('point')[theme]!, of('paper')[theme]!)).toBeGreaterThan(4.5);
  }
});

test('perplexity is e to the mean of what the model found each token less likely', () => {
  const all = [null, Math.log(0.5), Math.log(0.125)].map((logprob) => ({ logprob }));
  expect(perplexityOf(all)).toBeCloseTo(4, 10);
  expect(perplexityOf([{ logprob: null }])).toBeUndefined();
});

test('what is a doubt of a few nats is seen: entropy has a scale of its own', () => {
  const token = { id: 1, text: 'a', start: 0, logprob: -1, rank: 2, entropy: 2.5 };
  expect(shadeOf(token, 'entropy', 50257)).toBe(0.5);
  expect(shadeOf({ ...token, entropy: 9 }, 'entropy', 50257)).toBe(1);
  expect(shadeOf(token, 'probability', 50257)).toBe(strengthOf(token, 'probability', 50257));
});
