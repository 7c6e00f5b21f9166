import { afterAll, describe, expect, test, vi } from 'vitest';
import { VitrineError } from '../../src/plan/error.ts';
import type { Attempt } from '../../src/run/engine.ts';
import { load } from '../../src/run/load.ts';
import type { Model } from '../../src/run/model.ts';
import type { Completion, Token } from '../../src/run/output.ts';
import { fixtureFiles, openFixture, openFragile, openTiny } from './models.ts';

const model = await openFixture('tiny-gpt2', {}, 8);
afterAll(() => model.dispose());

const prompt = 'The quick brown fox';
const free = { eosTokenId: null, maxNewTokens: 24 };
const ids = (length: number, seed = 1) => Array.from({ length }, (_, i) => (i * 29 + seed * 71) % 1000);

async function collect(tokens: AsyncGenerator<Token, Completion>) {
  const list: Token[] = [];
  for (;;) {
    const next = await tokens.next();
    if (next.done) return { tokens: list, completion: next.value };
    list.push(next.value);
  }
}

describe('stop strings', () => {
  /** Random bytes of an untrained model: plenty of broken and whole characters of several bytes. */
  const wild = { eosTokenId: null, maxNewTokens: 40, temperature: 1.5 };

  test('every end of the free text, as a stop string, cuts exactly there', async () => {
    for (const seed of [1, 2, 3]) {
      const { text } = await model.complete(prompt, { ...wild, seed });
      for (let at = 0; at < text.length - 3; at += 5) {
        const stop = text.slice(at, at + 3);
        const { tokens, completion } = await collect(model.generate(prompt, { ...wild, seed, stop }));
        // Bytes that wait for a character's end are no text yet: a stop string there is seen when they are.
        expect(completion.text).toBe(text.slice(0, text.indexOf(stop)));
        expect(tokens.map((token) => token.text).join('')).toBe(completion.text);
        if (completion.finishReason !== 'stop') expect(completion.ids.length).toBe(40);
      }
    }
  });

  test('a character of several bytes, in pieces', async () => {
    // The bytes of 😀 one after the other, by bias.
    const bytes = [...new TextEncoder().encode('a😀b')].map(
      (byte) => Array.from({ length: 256 }, (_, id) => id).find((id) => model.tokenizer.bytes(id)[0] === byte)!,
    );
    const forced = (history: readonly number[]) => bytes[history.length] ?? 0;
    const options = {
      maxNewTokens: 6,
      eosTokenId: null,
      logitsProcessors: [
        (logits: Float32Array, { generated }: { generated: readonly number[] }) => {
          logits.fill(Number.NEGATIVE_INFINITY);
          logits[forced(generated)] = 0;
        },
      ],
    };
    const { tokens } = await collect(model.generate(prompt, options));
    expect(tokens.slice(0, 6).map((token) => token.text)).toEqual(['a', '', '', '', '😀', 'b']);
    const stopped = await collect(model.generate(prompt, { ...options, stop: ['😀b', 'zz'] }));
    expect(stopped.tokens.map((token) => token.text)).toEqual(['a', '', '', '', '', '']);
    expect(stopped.completion).toMatchObject({ text: 'a', finishReason: 'stop' });
    const cut = await collect(model.generate(prompt, { ...options, maxNewTokens: 3 }));
    expect(cut.tokens.map((token) => token.text).join('')).toBe('a\u{FFFD}');
    expect(cut.completion.text).toBe('a\u{FFFD}');
  });

  test('the end-of-text token gives its place in the text to what was held back', async () => {
    const { text, ids: generated } = await model.complete(prompt, { ...free, maxNewTokens: 4 });
    const next = (await model.complete(prompt, { ...free, maxNewTokens: 24 })).ids.slice(4);
    const eosTokenId = next.find((id) => !generated.includes(id))!;
    const { completion, tokens } = await collect(model.generate(prompt, { ...free, eosTokenId, stop: `${text}#` }));
    expect(completion.finishReason).toBe('eos');
    expect(completion.ids.at(-1)).toBe(eosTokenId);
    expect(tokens.map((token) => token.text).join('')).toBe(completion.text);
    expect(completion.text).toBe(model.tokenizer.decode(completion.ids.slice(0, -1)));
  });
});

describe('the end of the context', () => {
  test('ends the text', async () => {
    const { ids: generated, finishReason } = await model.complete(ids(120), { ...free, maxNewTokens: 40 });
    expect(finishReason).toBe('context');
    expect(generated.length).toBe(9); // nothing has to follow the ninth, so it needs no place
    expect((await model.complete(ids(128), free)).ids.length).toBe(1);
  });

  test('maxNewTokens reached at the same token is called length', async () => {
    expect((await model.complete(ids(120), { ...free, maxNewTokens: 9 })).finishReason).toBe('length');
  });

  test('ends beams and samples alike', async () => {
    const beams = await model.complete(ids(125), { ...free, numBeams: 2 });
    expect(beams).toMatchObject({ finishReason: 'context' });
    expect(beams.ids.length).toBe(4);
    const samples = await model.complete(ids(125), { ...free, temperature: 1, numReturnSequences: 2 });
    expect(samples.sequences!.map((sequence) => sequence.ids.length)).toEqual([4, 4]);
  });

  test('contextLength is a shorter one', async () => {
    const short = await openFixture('tiny-gpt2', { contextLength: 10 });
    expect((await short.complete(ids(8), free)).ids.length).toBe(3);
    await expect(short.complete(ids(11))).rejects.toMatchObject({ code: 'context-full' });
    short.dispose();
  });

  test("'slide' goes on with the newest half", async () => {
    const short = await openFixture('tiny-gpt2', { contextLength: 10 }, 4);
    const start = ids(7);
    const { ids: generated, finishReason } = await short.complete(start, {
      ...free,
      maxNewTokens: 30,
      onContextFull: 'slide',
    });
    expect(finishReason).toBe('length');
    let window = [...start];
    for (const id of generated) {
      if (window.length > 10) window = window.slice(-5);
      const { data } = await short.logits(window);
      expect(data.indexOf(Math.max(...data))).toBe(id);
      window.push(id);
    }
    const long = ids(35);
    const slid = await short.complete(long, { ...free, maxNewTokens: 3, onContextFull: 'slide' });
    expect(slid.ids).toEqual((await short.complete(long.slice(-5), { ...free, maxNewTokens: 3 })).ids);
    expect(slid.usage.prompt).toBe(35);
    short.dispose();
  });
});

describe('an abort', () => {
  const reason = new Error('enough');

  test('before the call', async () => {
    const signal = AbortSignal.abort(reason);
    for (const call of [
      () => model.complete(prompt, { signal }),
      () => model.generate(prompt, { signal }).next(),
      () => model.logits([1, 2], { signal }),
      () => model.score(prompt, { signal }),
      () => model.trace(prompt, { signal }),
    ])
      await expect(call()).rejects.toBe(reason);
  });

  test.each([0, 1, 2, 5, 10, 20])(
    'after %i turns of the event loop rejects with its reason, and leaves nothing wrong',
    async (turns) => {
      const abort = new AbortController();
      const text = ids(100, turns);
      const run = model.complete(text, {
        maxNewTokens: 1000,
        eosTokenId: null,
        onContextFull: 'slide',
        signal: abort.signal,
      });
      run.catch(() => {});
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve));
      abort.abort(reason);
      await expect(run).rejects.toBe(reason);
      const after = await model.complete(text, { ...free, maxNewTokens: 3 });
      const other = await openFixture('tiny-gpt2');
      expect(after.ids).toEqual((await other.complete(text, { ...free, maxNewTokens: 3 })).ids);
      other.dispose();
    },
  );

  test('between two tokens, by a timer while tokens are pulled, and in a beam search', async () => {
    const abort = new AbortController();
    const tokens = model.generate(prompt, { ...free, signal: abort.signal });
    await tokens.next();
    abort.abort(reason);
    await expect(tokens.next()).rejects.toBe(reason);
    expect(await tokens.next()).toEqual({ value: undefined, done: true });

    const timed = AbortSignal.timeout(20);
    await expect(
      model.complete(prompt, { maxNewTokens: 1e6, eosTokenId: null, onContextFull: 'slide', signal: timed }),
    ).rejects.toMatchObject({ name: 'TimeoutError' });

    const later = new AbortController();
    setTimeout(() => later.abort(reason), 5);
    await expect(
      model.complete(ids(60), { numBeams: 4, maxNewTokens: 60, eosTokenId: null, signal: later.signal }),
    ).rejects.toBe(reason);
  });

  test('ends a score, a trace and a load', async () => {
    for (const call of [
      (signal: AbortSignal) => model.score(ids(900), { signal }),
      (signal: AbortSignal) => model.trace(ids(128), { capture: ['*'], signal }),
      async (signal: AbortSignal) => load(await fixtureFiles('tiny-gpt2'), { device: 'cpu', signal }),
    ]) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(reason), 1);
      await expect(call(abort.signal)).rejects.toBe(reason);
    }
  });

  test('during a load, from its progress', async () => {
    const abort = new AbortController();
    const loading = load(await fixtureFiles('tiny-gpt2'), {
      device: 'cpu',
      signal: abort.signal,
      onProgress: ({ stage }) => stage === 'tokenizer' && abort.abort(reason),
    });
    await expect(loading).rejects.toBe(reason);
  });
});

describe('leaving the generator', () => {
  test('early frees the session, which the next call goes on with', async () => {
    const used = await openFixture('tiny-gpt2');
    for (let i = 0; i < 20; i++) {
      for await (const token of used.generate(ids(20), free)) if (token.index === 2) break;
    }
    expect((await used.complete(ids(20), free)).usage.cached).toBe(19);
    used.dispose();
  });

  test("by return() gives the completion so far, finished by 'abort'", async () => {
    const whole = await model.complete(prompt, free);
    const tokens = model.generate(prompt, free);
    for (let i = 0; i < 5; i++) await tokens.next();
    const { value, done } = await tokens.return(undefined as never);
    expect(done).toBe(true);
    expect(value).toMatchObject({ finishReason: 'abort', ids: whole.ids.slice(0, 5), usage: { completion: 5 } });
    expect(whole.text.startsWith((value as Completion).text.replace(/\u{FFFD}$/u, ''))).toBe(true);
  });

  test('by an error in the loop passes the error on', async () => {
    const error = new Error('of the caller');
    const loop = async () => {
      for await (const _ of model.generate(prompt, free)) throw error;
    };
    await expect(loop()).rejects.toBe(error);
    const tokens = model.generate(prompt, free);
    await tokens.next();
    await expect(tokens.throw(error)).rejects.toBe(error);
  });
});

test('timing counts the computing, not what the caller does in between', async () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const logitsProcessors = [() => void (now += 10)]; // a token takes 10 ms, the caller 400
  const tokens = model.generate(prompt, { ...free, maxNewTokens: 4, logitsProcessors });
  let next = await tokens.next();
  for (; !next.done; next = await tokens.next()) now += 400;
  clock.mockRestore();
  expect(next.value.timing).toMatchObject({ prefillMs: 10, decodeMs: 30, tokensPerSecond: 100 });
});

test('tokens come while the event loop turns: timers fire between them', async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await model.complete(ids(100), free);
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(3);
});

describe('dispose', () => {
  const calls: [string, (of: Model) => Promise<unknown>][] = [
    ['complete', (of) => of.complete([1, 2])],
    ['generate', (of) => of.generate([1, 2]).next()],
    ['beams', (of) => of.complete([1, 2], { numBeams: 2 })],
    ['logits', (of) => of.logits([1, 2])],
    ['score', (of) => of.score([1, 2, 3])],
    ['trace', (of) => of.trace([1, 2])],
  ];

  test.each(calls)('%s fails afterwards, and while it runs', async (_, call) => {
    const used = await openTiny({ nCtx: 64 });
    await call(used);
    const running = call(used);
    running.catch(() => {});
    used.dispose();
    await expect(running).rejects.toMatchObject({ code: 'disposed' });
    await expect(call(used)).rejects.toMatchObject({ code: 'disposed' });
    used.dispose();
    expect(used.device.bytes).toBe(0);
  });

  test('ends a generation between two tokens, and one that is left', async () => {
    const used = await openTiny({ nCtx: 64 });
    const [a, b] = [used.generate([1, 2]), used.generate([1, 3])];
    await a.next();
    await b.next();
    used[Symbol.dispose]();
    await expect(a.next()).rejects.toMatchObject({ code: 'disposed' });
    expect((await b.return(undefined as never)).done).toBe(true);
  });
});

const text = ids(30);
const expected = await model.complete(text, free);

describe('a lost device', () => {
  test('is replaced while a text is generated, which goes on', async () => {
    const { model: fragile, opened } = await openFragile();
    const found: number[] = [];
    for await (const token of fragile.generate(text, free)) {
      found.push(token.id);
      if (token.index === 3) opened[0]!.lose('unplugged');
      if (token.index === 10) opened[1]!.lose('unplugged again');
    }
    expect(found).toEqual(expected.ids);
    expect(opened.length).toBe(3);
    fragile.dispose();
  });

  test('takes nothing from generations side by side, beams, samples, and those in the middle of their prompt', async () => {
    const { model: fragile, opened } = await openFragile();
    const beams = { ...free, numBeams: 3, maxNewTokens: 6 };
    const samples = { ...free, temperature: 1, seed: 5, numReturnSequences: 3 };
    const written = async () => {
      const found: number[] = [];
      for await (const { id, index } of fragile.generate(text, free)) {
        found.push(id);
        if (index === 1) opened[0]!.lose('unplugged');
      }
      return found;
    };
    const jobs = [written(), fragile.complete(ids(90), beams), fragile.complete(ids(40), samples)] as const;
    const [found, searched, sampled] = await Promise.all(jobs);
    expect(opened.length).toBe(2);
    expect(found).toEqual(expected.ids);
    expect(searched.ids).toEqual((await model.complete(ids(90), beams)).ids);
    expect(sampled.sequences).toEqual((await model.complete(ids(40), samples)).sequences);
    fragile.dispose();
  });

  test('is noticed at the next call', async () => {
    const { model: fragile, opened } = await openFragile();
    await fragile.complete(text, free);
    opened[0]!.lose('unplugged');
    await opened[0]!.backend.lost;
    const { ids: found, usage } = await fragile.complete(text, free);
    expect(found).toEqual(expected.ids);
    expect(usage.cached).toBeLessThan(30);
    expect(opened.length).toBe(2);
    fragile.dispose();
  });

  test('of the caller ends the call with device-lost, and every later one', async () => {
    const { model: fragile, opened } = await openFragile({ reopens: false });
    const tokens = fragile.generate(text, free);
    await tokens.next();
    opened[0]!.lose('unplugged');
    await expect(tokens.next()).rejects.toMatchObject({
      code: 'device-lost',
      message: expect.stringContaining('unplugged'),
    });
    await expect(fragile.complete(text)).rejects.toMatchObject({ code: 'device-lost' });
    fragile.dispose();
  });

  test('that is lost again and again gives up in the end', async () => {
    const { model: fragile, opened } = await openFragile();
    const watch = setInterval(() => opened.at(-1)!.lose('flaky'));
    await expect(
      fragile.complete(ids(120), { ...free, onContextFull: 'slide', maxNewTokens: 100_000 }),
    ).rejects.toBeInstanceOf(VitrineError);
    clearInterval(watch);
    fragile.dispose();
  });

  test('that comes back only after a while is waited for', async () => {
    let missing = 3;
    const before = ({ lost }: Attempt) => {
      if (lost !== undefined && missing-- > 0) throw new VitrineError('no-webgpu', 'no adapter yet');
    };
    const { model: fragile, opened } = await openFragile({ before });
    const running = fragile.complete(text, free);
    opened[0]!.lose('unplugged');
    expect((await running).ids).toEqual(expected.ids);
    expect(missing).toBe(-1);
    fragile.dispose();
  });

  test('that does not come back is waited for with a limit; meanwhile an abort and a dispose are heard', async () => {
    const before = ({ lost }: Attempt) => {
      if (lost !== undefined) throw new VitrineError('no-webgpu', 'no adapter');
    };
    const lostFor = async (comesBackWithinMs: number) => {
      const { model: fragile, opened } = await openFragile({ before, comesBackWithinMs });
      opened[0]!.lose('unplugged');
      return fragile;
    };
    const patient = await lostFor(1e7); // hours
    const abort = new AbortController();
    const aborted = patient.complete(text, { ...free, signal: abort.signal });
    setTimeout(() => abort.abort('enough'), 60);
    await expect(aborted).rejects.toBe('enough');
    const last = patient.complete(text, free);
    setTimeout(() => patient.dispose(), 60);
    await expect(last).rejects.toMatchObject({ code: 'disposed' });
    const impatient = await lostFor(100);
    await expect(impatient.complete(text, free)).rejects.toMatchObject({
      code: 'device-lost',
      message: expect.stringContaining('no adapter'),
    });
    impatient.dispose();
  });

  test('three times in a row is left where that is allowed, and the text goes on', async () => {
    for (const kind of ['plain', 'beams', 'samples', 'edits', 'sliding'] as const) {
      const options = {
        plain: free,
        beams: { ...free, numBeams: 3 },
        samples: { ...free, temperature: 1, seed: 5, numReturnSequences: 3 },
        edits: { ...free, edits: [{ name: 'blocks.0.hook_mlp_out', scale: 0.5 }] },
        sliding: { ...free, onContextFull: 'slide' as const },
      }[kind];
      const prompt = kind === 'sliding' ? ids(120) : text;
      const attempts: boolean[] = [];
      let runs = 0;
      const { model: fragile, opened } = await openFragile({
        leaves: true,
        before: ({ leaving }) => attempts.push(leaving),
        onRun: (backend) => {
          // Each is lost after some runs, but for the one that is no GPU.
          if (++runs % 9 === 0 && opened.length <= 3) backend.lose('flaky');
        },
      });
      const { ids: found, sequences } = await fragile.complete(prompt, options);
      const undisturbed = await model.complete(prompt, options);
      expect(found, kind).toEqual(undisturbed.ids);
      expect(sequences?.map((one) => one.ids)).toEqual(undisturbed.sequences?.map((one) => one.ids));
      expect(attempts, kind).toEqual([false, false, false, true]);
      fragile.dispose();
    }
  });

  test('three times in a row ends the call where it is not; the next call tries anew', async () => {
    const { model: fragile, opened } = await openFragile({
      onRun: (backend) => {
        if (opened.length <= 3) backend.lose('flaky');
      },
    });
    await expect(fragile.complete(text, free)).rejects.toMatchObject({ code: 'device-lost' });
    expect(opened.length).toBe(3);
    expect((await fragile.complete(text, free)).ids).toEqual(expected.ids);
    fragile.dispose();
  });

  test('now and then is no row: calls that ended well lie between', async () => {
    const { model: fragile, opened } = await openFragile({
      leaves: true,
      before: ({ leaving }) => expect(leaving).toBe(false),
    });
    for (let i = 0; i < 5; i++) {
      const running = fragile.complete(text, free);
      opened.at(-1)!.lose('unplugged');
      expect((await running).ids).toEqual(expected.ids);
    }
    expect(opened.length).toBe(6);
    fragile.dispose();
  });

  test.each([
    ['score', async (of: Model) => (await of.score(ids(60))).logprobs],
    ['logits', async (of: Model) => (await of.logits(ids(60), { positions: [3, 50] })).data],
    [
      'trace with edits',
      async (of: Model) => [...(await of.trace(ids(60), { capture: ['*'], edits })).get(captured)!.data],
    ],
    ['weight', async (of: Model) => (await of.weight('wte.weight')).data],
    ['profile', async (of: Model) => (await of.profile(ids(60), { repeats: 1 })).steps.length],
    ['speculate', async (of: Model) => (await of.complete(ids(30), { ...free, speculate: {} })).ids],
    ['processors', async (of: Model) => (await of.complete(ids(30), { ...free, logitsProcessors: [() => {}] })).ids],
  ])('takes nothing from %s', async (_, call) => {
    for (const after of [1, 2, 7]) {
      let runs = 0;
      const { model: fragile, opened } = await openFragile({
        onRun: (backend) => {
          if (++runs === after) backend.lose('unplugged');
        },
      });
      expect(await call(fragile)).toEqual(await call(model));
      if (runs >= after) expect(opened.length).toBe(2);
      fragile.dispose();
    }
  });
});

const edits = [{ name: 'blocks.0.hook_mlp_out', scale: 0.5 }];
const captured = 'blocks.1.attn.hook_pattern';
