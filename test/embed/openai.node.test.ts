import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, describe, expect, test } from 'vitest';
import type * as shapes from '../../src/embed/openai/types.ts';
import { APIError, openai, openaiFetch } from '../../src/embed/openai.ts';
import { load } from '../../src/index.ts';

const model = await load(fileURLToPath(new URL('../fixtures/tiny-gpt2/', import.meta.url)), { device: 'cpu' });
afterAll(() => model.dispose());

const direct = openai(model, { id: 'tiny' });
const fetch = openaiFetch(model, { id: 'tiny' });
const client = new OpenAI({ apiKey: 'none', baseURL: 'http://vitrine.invalid/v1', fetch });
const base = { model: 'tiny', prompt: 'The sea', max_tokens: 8, temperature: 0 } as const;

async function failure(promise: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OpenAI.APIError);
  return error as InstanceType<typeof OpenAI.APIError>;
}

describe('completions through the openai package', () => {
  test("are the model's own, with usage and every field that the package types", async () => {
    const { text, usage } = await model.complete('The sea', { maxNewTokens: 8 });
    const completion = await client.completions.create(base);
    expect(completion).toEqual({
      id: expect.stringMatching(/^cmpl-[0-9a-f]{24}$/),
      object: 'text_completion',
      created: expect.any(Number),
      model: 'tiny',
      system_fingerprint: 'vitrine-cpu-f32',
      choices: [{ index: 0, text, finish_reason: 'length', logprobs: null }],
      usage: {
        prompt_tokens: usage.prompt,
        completion_tokens: 8,
        total_tokens: usage.prompt + 8,
        prompt_tokens_details: { cached_tokens: expect.any(Number) },
      },
    });
    expect(Math.abs(completion.created - Date.now() / 1000)).toBeLessThan(600);
    expect(completion._request_id).toMatch(/^req-/);
  });

  test('have 16 tokens drawn at temperature 1 by default, the same for a seed, negative ones too', async () => {
    const asked = { model: 'tiny', prompt: 'The sea', seed: -7 };
    const [one, two] = await Promise.all([client.completions.create(asked), client.completions.create(asked)]);
    expect(one.usage?.completion_tokens).toBe(16);
    expect(two.choices).toEqual(one.choices);
    const other = await client.completions.create({ ...asked, seed: 8 });
    expect(other.choices[0]!.text).not.toBe(one.choices[0]!.text);
    const own = await model.complete('The sea', { temperature: 1, seed: 2 ** 53 - 7, maxNewTokens: 16 });
    expect(one.choices[0]!.text).toBe(own.text);
  });

  test('stream: the same text in chunks, null usage until the last one', async () => {
    const whole = await client.completions.create(base);
    const stream = await client.completions.create({ ...base, stream: true, stream_options: { include_usage: true } });
    const chunks: OpenAI.Completion[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices: [choice] }) => choice?.text ?? '').join('')).toBe(whole.choices[0]!.text);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    const last = chunks.pop()!;
    expect(last.choices).toEqual([]);
    expect(last.usage).toMatchObject({ completion_tokens: 8, total_tokens: whole.usage!.total_tokens });
    expect(chunks.every(({ usage }) => usage === null)).toBe(true);
    const reasons = chunks.map(({ choices }) => choices[0]!.finish_reason);
    expect(reasons.pop()).toBe('length');
    expect(reasons.every((reason) => reason === null)).toBe(true);
    expect(chunks.length).toBeGreaterThan(3);
  });

  test('several prompts of n choices each are numbered through, streamed or not', async () => {
    const asked = { model: 'tiny', prompt: ['The sea', 'A hill'], n: 2, max_tokens: 5, seed: 3 };
    const whole = await client.completions.create(asked);
    expect(whole.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(new Set(whole.choices.map(({ text }) => text)).size).toBe(4);
    expect(whole.usage?.completion_tokens).toBe(20);
    const texts = ['', '', '', ''];
    const ended = [];
    for await (const { choices } of await client.completions.create({ ...asked, stream: true })) {
      texts[choices[0]!.index] += choices[0]!.text;
      if (choices[0]!.finish_reason) ended.push(choices[0]!.index);
    }
    expect(texts).toEqual(whole.choices.map(({ text }) => text));
    expect(ended).toEqual([0, 1, 2, 3]);
  });

  test('greedy ones are all the same, and counted', async () => {
    const { choices, usage } = await client.completions.create({ ...base, n: 3, best_of: 5 });
    expect(new Set(choices.map(({ text }) => text)).size).toBe(1);
    expect(choices).toHaveLength(3);
    expect(usage?.completion_tokens).toBe(24);
  });

  test('of best_of candidates come the likeliest per token', async () => {
    const asked = { model: 'tiny', prompt: 'The sea', seed: 5, max_tokens: 6, logprobs: 0 };
    const all = await client.completions.create({ ...asked, n: 4 });
    const two = await client.completions.create({ ...asked, n: 2, best_of: 4 });
    const mean = ({ logprobs }: OpenAI.CompletionChoice) =>
      logprobs!.token_logprobs!.reduce((sum, logprob) => sum + logprob, 0) / logprobs!.token_logprobs!.length;
    const best = [...all.choices].sort((a, b) => mean(b) - mean(a)).slice(0, 2);
    expect(two.choices.map(({ text }) => text)).toEqual(best.map(({ text }) => text));
    expect(two.choices.map(({ index }) => index)).toEqual([0, 1]);
    expect(two.usage?.completion_tokens).toBe(24);
  });

  test('end before a stop string, or where the context ends', async () => {
    const { choices } = await client.completions.create(base);
    const full = choices[0]!.text;
    const stop = full.slice(4, 6);
    const stopped = (await client.completions.create({ ...base, stop: [stop, 'never there'] })).choices[0]!;
    expect(stopped).toMatchObject({ finish_reason: 'stop', text: full.slice(0, full.indexOf(stop)) });
    const ids = Array.from({ length: 126 }, (_, i) => i + 1);
    const filled = await client.completions.create({ ...base, prompt: ids, max_tokens: 50 });
    expect(filled.choices[0]!.finish_reason).toBe('length');
    expect(filled.usage).toMatchObject({ prompt_tokens: 126, completion_tokens: 3 });
  });

  test('take ids, an empty prompt, penalties, top_p, a bias and a user', async () => {
    const ids = model.tokenizer.encode('The sea');
    const [text, asIds, lists] = await Promise.all([
      client.completions.create(base),
      client.completions.create({ ...base, prompt: ids }),
      client.completions.create({ ...base, prompt: [ids, ids], user: 'somebody' }),
    ]);
    expect(asIds.choices).toEqual(text.choices);
    expect(lists.choices.map((choice) => choice.text)).toEqual([text.choices[0]!.text, text.choices[0]!.text]);
    const empty = await client.completions.create({ ...base, prompt: '' });
    expect(empty.choices[0]!.text).toBe((await model.complete('', { maxNewTokens: 8 })).text);
    expect((await client.completions.create({ ...base, prompt: null })).choices).toEqual(empty.choices);
    const forced = await client.completions.create({ ...base, logit_bias: { 72: 100 }, max_tokens: 3 });
    expect(forced.choices[0]!.text).toBe(model.tokenizer.token(72).repeat(3));
    const asked = { frequency_penalty: 1.5, presence_penalty: -0.5, top_p: 0.7, temperature: 0.8, seed: 4 };
    const drawn = await client.completions.create({ ...base, ...asked });
    const own = { frequencyPenalty: 1.5, presencePenalty: -0.5, topP: 0.7, temperature: 0.8, seed: 4, maxNewTokens: 8 };
    expect(drawn.choices[0]!.text).toBe((await model.complete('The sea', own)).text);
  });
});

describe('log-probabilities', () => {
  test('of each token and the likeliest beside it, with offsets into the text', async () => {
    const { choices } = await client.completions.create({ ...base, temperature: 1, seed: 2, logprobs: 3 });
    const { text, logprobs } = choices[0]!;
    const own = await model.complete('The sea', { temperature: 1, seed: 2, maxNewTokens: 8, topLogprobs: 3 });
    expect(logprobs!.token_logprobs).toEqual(own.logprobs);
    expect(logprobs!.tokens).toHaveLength(8);
    expect(logprobs!.text_offset![0]).toBe(0);
    for (const [i, token] of logprobs!.tokens!.entries()) {
      if (!token.startsWith('bytes:')) expect(text.startsWith(token, logprobs!.text_offset![i])).toBe(true);
      const top = logprobs!.top_logprobs![i]!;
      expect(top[token]).toBe(own.logprobs[i]);
      expect([3, 4]).toContain(Object.keys(top).length);
      expect(Math.max(...Object.values(top))).toBe(own.top![i]![0]!.logprob);
    }
  });

  test('streamed, they are those of the whole', async () => {
    const asked = { ...base, n: 2, temperature: 1, seed: 11, logprobs: 2, echo: true };
    const whole = await client.completions.create(asked);
    const joined = [0, 1].map(() => ({ text_offset: [], token_logprobs: [], tokens: [], top_logprobs: [] }) as object);
    for await (const { choices } of await client.completions.create({ ...asked, stream: true })) {
      const { index, logprobs } = choices[0]!;
      for (const [key, list] of Object.entries(logprobs ?? {})) {
        (joined[index] as Record<string, unknown[]>)[key]!.push(...list);
      }
    }
    expect(joined).toEqual(whole.choices.map(({ logprobs }) => logprobs));
  });

  test('of an echoed prompt are those of score; with max_tokens 0 the prompt is all', async () => {
    const prompt = 'The sea was calm, and the boat went on. '.repeat(4);
    const { choices, usage } = await client.completions.create({
      ...base,
      prompt,
      max_tokens: 0,
      echo: true,
      logprobs: 2,
    });
    const score = await model.score(prompt);
    const { text, logprobs, finish_reason } = choices[0]!;
    expect({ text, finish_reason }).toEqual({ text: prompt, finish_reason: 'length' });
    expect(logprobs!.token_logprobs![0]).toBe(null);
    expect(logprobs!.top_logprobs![0]).toBe(null);
    expect(score.ids.length).toBeGreaterThan(64); // more than one piece
    for (const [i, logprob] of score.logprobs.entries()) {
      if (i > 0) expect(logprobs!.token_logprobs![i]).toBeCloseTo(logprob!, 4);
    }
    expect(logprobs!.tokens!.join('')).toBe(prompt);
    expect(logprobs!.text_offset!.at(-1)).toBe(prompt.length - logprobs!.tokens!.at(-1)!.length);
    expect(usage).toMatchObject({ prompt_tokens: score.ids.length, completion_tokens: 0 });
    const written = await client.completions.create({ ...base, echo: true });
    expect(written.choices[0]!.text).toBe(`The sea${(await model.complete('The sea', { maxNewTokens: 8 })).text}`);
  });

  test('parts of a character are spelled out as bytes, and counted where the character begins', async () => {
    const { choices } = await client.completions.create({
      ...base,
      prompt: 'é€',
      echo: true,
      max_tokens: 0,
      logprobs: 0,
    });
    const { tokens, text_offset } = choices[0]!.logprobs!;
    expect(tokens).toEqual(['bytes:\\xc3', 'bytes:\\xa9', 'bytes:\\xe2', 'bytes:\\x82', 'bytes:\\xac']);
    expect(text_offset).toEqual([0, 0, 1, 1, 1]);
  });
});

describe('what cannot be done is refused by name', () => {
  test.each([
    ['unknown', { top_k: 4 }, 'top_k', /Unknown parameter: 'top_k'/],
    ['suffix', { suffix: ' end' }, 'suffix', /cannot fill/],
    ['temperature', { temperature: 2.1 }, 'temperature', /from 0 to 2/],
    ['top_p', { top_p: 1.1 }, 'top_p', /from 0 to 1/],
    ['penalty', { presence_penalty: 3 }, 'presence_penalty', /from -2 to 2/],
    ['n', { n: 0 }, 'n', /from 1 to 128/],
    ['best_of below n', { n: 3, best_of: 2 }, 'best_of', /at least 'n'/],
    ['best_of streamed', { best_of: 2, stream: true }, 'best_of', /streamed/],
    ['logprobs', { logprobs: true }, 'logprobs', /from 0 to 5/],
    ['max_tokens', { max_tokens: -1 }, 'max_tokens', /from 0/],
    ['logit_bias', { logit_bias: { 72: 101 } }, 'logit_bias', /-100 to 100/],
    ['logit_bias past the vocabulary', { logit_bias: { 1000: 1 } }, 'logit_bias', /below 1000/],
    ['stop', { stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', /at most 4/],
    ['an empty stop', { stop: '' }, 'stop', /none empty/],
    ['seed', { seed: 0.5 }, 'seed', /integer/],
    ['prompt', { prompt: [] }, 'prompt', /none empty/],
    ['a mixed prompt', { prompt: ['a', 1] }, 'prompt', /list/],
    ['stream_options alone', { stream_options: { include_usage: true } }, 'stream_options', /stream: true/],
    ['padding', { stream: true, stream_options: { include_obfuscation: true } }, 'stream_options', /never padded/],
  ])('%s', async (_, extra, param, message) => {
    const error = await failure(client.completions.create({ ...base, ...extra } as never));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ status: 400, param, type: 'invalid_request_error', message });
    expect(error.message).toMatch(message);
    const own = await direct.completions.create({ ...base, ...extra } as never).catch((reason: unknown) => reason);
    expect(own).toBeInstanceOf(APIError);
    expect(own).toMatchObject({ status: 400, param, message: error.message, code: error.code });
  });

  test('a prompt past the context, whole or streamed: 400 with the code of the API', async () => {
    const prompt = Array.from({ length: 129 }, () => 1);
    for (const stream of [false, true]) {
      const error = await failure(client.completions.create({ ...base, prompt, stream }));
      expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'prompt' });
    }
    expect((await failure(client.completions.create({ ...base, prompt: [5000] }))).status).toBe(400);
  });

  test('chat without a template, embeddings without an encoder, other addresses', async () => {
    const messages = [{ role: 'user' as const, content: 'Hello' }];
    expect(await failure(client.chat.completions.create({ model: 'tiny', messages }))).toMatchObject({
      status: 400,
      code: 'no_chat_template',
      message: expect.stringContaining('completions.create'),
    });
    expect(await failure(client.embeddings.create({ model: 'tiny', input: 'Hello' }))).toMatchObject({
      status: 400,
      code: 'no_encoder',
    });
    await expect(direct.chat.completions.create({ messages })).rejects.toMatchObject({ code: 'no_chat_template' });
    await expect(direct.embeddings.create({ input: 'x' })).rejects.toMatchObject({ code: 'no_encoder' });
    expect(await failure(client.moderations.create({ input: 'x' }))).toBeInstanceOf(OpenAI.NotFoundError);
    expect((await fetch('http://vitrine.invalid/v1/completions')).status).toBe(405);
    const broken = await fetch('http://vitrine.invalid/v1/completions', { method: 'POST', body: '{' });
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ error: { code: 'invalid_json', type: 'invalid_request_error' } });
    await expect(direct.completions.create(base, { timeout: 5 } as object)).rejects.toMatchObject({ param: 'timeout' });
  });

  test('a disposed model: 503, and the client does not try again', async () => {
    const other = await load(fileURLToPath(new URL('../fixtures/tiny-gpt2/', import.meta.url)), { device: 'cpu' });
    let calls = 0;
    const counted: typeof fetch = (...args) => {
      calls++;
      return openaiFetch(other)(...args);
    };
    other.dispose();
    const gone = new OpenAI({ apiKey: 'none', baseURL: 'http://vitrine.invalid/v1', fetch: counted });
    const error = await failure(gone.completions.create(base));
    expect(error).toMatchObject({ status: 503, type: 'server_error', code: 'disposed' });
    expect(calls).toBe(1);
  });
});

describe('aborts', () => {
  test("before and while it writes: the client's own error, and the model is free again", async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(client.completions.create(base, { signal: abort.signal })).rejects.toBeInstanceOf(
      OpenAI.APIUserAbortError,
    );
    const stream = await client.completions.create({ ...base, max_tokens: 100, stream: true });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) stream.controller.abort();
    expect(chunks).toBeLessThan(100);
    expect((await client.completions.create(base)).choices[0]!.finish_reason).toBe('length');
  });

  test('a failure in the middle of a stream is its last event', async () => {
    const other = await load(fileURLToPath(new URL('../fixtures/tiny-gpt2/', import.meta.url)), { device: 'cpu' });
    const failing = new OpenAI({ apiKey: 'none', baseURL: 'http://vitrine.invalid/v1', fetch: openaiFetch(other) });
    const stream = await failing.completions.create({ ...base, max_tokens: 100, stream: true });
    const read = async () => {
      for await (const _ of stream) other.dispose();
    };
    expect(await failure(read())).toMatchObject({ code: 'disposed', type: 'server_error' });
  });

  test('directly: left loops and controllers end quietly, signals reject with their reason', async () => {
    const asked = { ...base, max_tokens: 100, stream: true } as const;
    for await (const _ of await direct.completions.create(asked)) break;
    const stream = await direct.completions.create(asked);
    for await (const _ of stream) stream.controller.abort();
    const abort = new AbortController();
    const reason = new Error('enough');
    const read = async () => {
      for await (const _ of await direct.completions.create(asked, { signal: abort.signal })) abort.abort(reason);
    };
    await expect(read()).rejects.toBe(reason);
    const whole = direct.completions.create({ ...base, max_tokens: 100 }, { signal: abort.signal });
    await expect(whole).rejects.toBe(reason);
  });
});

test('models: listed and looked up', async () => {
  const ids: string[] = [];
  for await (const { id, object } of client.models.list()) ids.push(`${object} ${id}`);
  expect(ids).toEqual(['model tiny']);
  expect(await client.models.retrieve('tiny')).toMatchObject({ id: 'tiny', object: 'model' });
  await expect(client.models.retrieve('gpt-4')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  for await (const { id } of await direct.models.list()) ids.push(id);
  expect(ids).toEqual(['model tiny', 'tiny']);
});

test("the shapes are the package's own, as the compiler sees them", () => {
  const completion = (own: shapes.Completion): OpenAI.Completion => own;
  const entry = (own: shapes.ModelObject): OpenAI.Models.Model => own;
  // What the package lets a caller say, this one reads.
  const params = (theirs: OpenAI.CompletionCreateParams): shapes.CompletionCreateParams => theirs;
  expect([completion, entry, params]).toHaveLength(3);
});
