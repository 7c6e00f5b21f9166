import { afterAll, describe, expect, test } from 'vitest';
import { createCpuBackend } from '../../src/cpu/backend.ts';
import type { ChatMessage, ChatOptions, Completion } from '../../src/index.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { load } from '../../src/run/load.ts';
import { Model } from '../../src/run/model.ts';
import { bytePairFields, familyGguf, text } from '../load/gguf-families.ts';
import { encodeGguf } from '../load/tiny-gguf.ts';
import { familyFiles, openFamily } from '../model/families.ts';
import { fixtureFiles } from './models.ts';

const template =
  '{% if tools %}{{ tools[0].name }}{% endif %}{% for m in messages %}<|im_start|>{{ m.role[0] }}{{ m.content }}<|im_end|>' +
  '{% endfor %}{% if add_generation_prompt %}<|im_start|>a{% endif %}';

const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json'];

/** The files of a small Qwen2, with others in their place; undefined for none. */
async function files(changes: Record<string, string | undefined> = {}): Promise<File[]> {
  const found = (await familyFiles('qwen2', names)).filter(({ name }) => !(name in changes));
  const more = Object.entries(changes).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return [...found, ...more.map(([name, content]) => new File([content], name))];
}

const withTemplate = async (chat_template: unknown) => {
  const config = (await familyFiles('qwen2', ['tokenizer_config.json']))[0]!;
  return files({ 'tokenizer_config.json': JSON.stringify({ ...JSON.parse(await config.text()), chat_template }) });
};

/** All that a chat gives. */
async function answer(model: Model, messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<Completion> {
  const tokens = model.chat(messages, { maxNewTokens: 4, ...options });
  for (;;) {
    const next = await tokens.next();
    if (next.done) return next.value;
  }
}

/** What is not of the time it took, or of what was cached. */
const said = ({ ids, usage }: Completion) => [usage.prompt, ...ids];

const hello = [{ role: 'user', content: 'the' }];
const model = await load(await withTemplate(template), { device: 'cpu' });
afterAll(() => model.dispose());
const idsOf = (words: string) => model.tokenizer.encode(words, { special: true });

describe('the text of a chat', () => {
  test('is what generate is given: special tokens read, nothing put around', async () => {
    const expected = await model.complete(idsOf('<|im_start|>uthe<|im_end|><|im_start|>a'), { maxNewTokens: 4 });
    expect(said(await answer(model, hello))).toEqual(said(expected));
  });

  test('options: tools, variables, a template of the own, no prompt to answer', async () => {
    const complete = async (words: string) => said(await model.complete(idsOf(words), { maxNewTokens: 4 }));
    const chatted = async (options: ChatOptions) => said(await answer(model, hello, options));
    const chat = '<|im_start|>uthe<|im_end|>';
    expect(await chatted({ tools: [{ name: 'sum' }] })).toEqual(await complete(`sum${chat}<|im_start|>a`));
    expect(await chatted({ addGenerationPrompt: false })).toEqual(await complete(chat));
    const own = { template: '{{ mood }}{{ messages[0].content }}', variables: { mood: 'so ' } };
    expect(await chatted(own)).toEqual(await complete('so the'));
  });

  test('a text that a beginning is put before has it once, from the template', async () => {
    const llama = await familyFiles('llama-gqa', names);
    const beginning = await load(llama, { device: 'cpu' });
    const options = { template: '{{ bos_token }}{{ messages[0].content }}', maxNewTokens: 4 };
    const ids = beginning.tokenizer.encode('<s>the', { special: true }).slice(1);
    expect(ids.filter((id) => id === 1)).toHaveLength(1);
    const expected = await beginning.complete(ids, { maxNewTokens: 4 });
    expect(said(await answer(beginning, hello, options))).toEqual(said(expected));
    beginning.dispose();
  });
});

describe('where a template comes from', () => {
  const expected = () => model.complete(idsOf('the'), { maxNewTokens: 4 });
  const plain = '{{ messages[0].content }}';
  test.each([
    [
      'chat_template.jinja, before tokenizer_config.json',
      async () => [...(await withTemplate('no')), new File([plain], 'chat_template.jinja')],
    ],
    [
      'a list of named ones',
      () =>
        withTemplate([
          { name: 'rag', template: 'no' },
          { name: 'default', template: plain },
        ]),
    ],
    [
      'the metadata of a GGUF file',
      async () => {
        const parts = await familyGguf('qwen2', 'qwen2');
        for (const [name, value] of await bytePairFields('qwen2', 'qwen2')) parts.fields.set(name, value);
        parts.fields.set('tokenizer.chat_template', text(plain));
        return [new File([encodeGguf(parts)], 'tiny.gguf')];
      },
    ],
  ])('%s', async (_, make) => {
    const other = await load(await make(), { device: 'cpu' });
    const { ids } = await answer(other, hello, { eosTokenId: model.config.eosTokenIds });
    expect(ids).toEqual((await expected()).ids);
    other.dispose();
  });

  test('tools have one of their own, where there is one', async () => {
    const named = [
      { name: 'default', template: 'no' },
      { name: 'tool_use', template: plain },
    ];
    const other = await load(await withTemplate(named), { device: 'cpu' });
    expect((await answer(other, hello, { tools: [{ name: 'sum' }] })).ids).toEqual((await expected()).ids);
    other.dispose();
  });

  test('a GPT-2 with a template is read when it chats', async () => {
    const config = new File([JSON.stringify({ chat_template: plain })], 'tokenizer_config.json');
    const gpt2 = await load([...(await fixtureFiles('tiny-gpt2')), config], { device: 'cpu' });
    expect(said(await answer(gpt2, hello))).toEqual(said(await gpt2.complete('the', { maxNewTokens: 4 })));
    gpt2.dispose();
  });
});

describe('what is refused', () => {
  test.each<[string, () => Promise<unknown>, string | RegExp]>([
    ['an option that there is not', () => answer(model, hello, { tolls: [] } as ChatOptions), /tolls/],
    ['tools that are no list', () => answer(model, hello, { tools: {} as [] }), 'tools'],
    ['messages that are no list', () => answer(model, 'hello' as unknown as []), 'The messages of a chat'],
    [
      'what the template raises',
      () => answer(model, hello, { template: "{{ raise_exception('Only two.') }}" }),
      'Only two.',
    ],
    [
      'a broken template',
      () => answer(model, hello, { template: '{% if %}' }),
      'The chat template does not take this chat',
    ],
    ['an option of generate', () => answer(model, hello, { topP: 2 }), 'topP'],
  ])('%s', async (_, call, message) => {
    await expect(call()).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) });
  });

  test('a chat with a model that has no template; with names of those it has', async () => {
    const plain = await load(await files(), { device: 'cpu' });
    await expect(answer(plain, hello)).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('This model has no chat template.'),
      hint: 'Pass one as the option template, or write with generate.',
    });
    plain.dispose();
    const rag = await load(await withTemplate([{ name: 'rag', template: 'x' }]), { device: 'cpu' });
    await expect(answer(rag, hello)).rejects.toMatchObject({
      message: expect.stringContaining('no chat template but rag.'),
    });
    rag.dispose();
  });

  test('an abort before and while it answers; a model that was disposed', async () => {
    const abort = new AbortController();
    const tokens = model.chat(hello, { signal: abort.signal, maxNewTokens: 20, eosTokenId: null });
    await tokens.next();
    abort.abort(new Error('enough'));
    await expect(
      (async () => {
        for await (const _ of tokens);
      })(),
    ).rejects.toThrow('enough');
    await expect(answer(model, hello, { signal: abort.signal })).rejects.toThrow('enough');
    const gone = await load(await withTemplate(template), { device: 'cpu' });
    gone.dispose();
    await expect(answer(gone, hello)).rejects.toMatchObject({ code: 'disposed' });
  });
});

test('each of several tokens of generation_config.json ends an answer', async () => {
  const free = await answer(model, hello, { eosTokenId: null });
  for (const eos of [free.ids[1]!, free.ids[2]!]) {
    const settings = JSON.stringify({ eos_token_id: [299, eos] });
    const other = await load(await files({ 'generation_config.json': settings }), { device: 'cpu' });
    const { ids, finishReason } = await answer(other, hello, { template });
    expect(ids).toEqual(free.ids.slice(0, free.ids.indexOf(eos) + 1));
    expect(finishReason).toBe('eos');
    other.dispose();
  }
});

/** A backend on the CPU that tells how many rows its runs have. */
async function counting(onRows: (rows: number) => void): Promise<Backend> {
  const inner = createCpuBackend();
  return {
    ...inner,
    addWeight: (...args) => inner.addWeight(...args),
    async program(...args) {
      const made = await inner.program(...args);
      return {
        size: made.size,
        bytes: made.bytes,
        run(batch) {
          onRows(batch.rows.length);
          return made.run(batch);
        },
        profile: (...args) => made.profile(...args),
        copySlots: (...args) => made.copySlots(...args),
        dispose: () => made.dispose(),
      };
    },
  };
}

test('a chat of ten turns runs only what is new', async () => {
  let rows = 0;
  const onRows = (count: number) => {
    rows += count;
  };
  const { checkpoint, engine } = await openFamily({ name: 'cpu', open: () => counting(onRows) }, 'qwen2', 'decoder');
  const chatTemplates = async () => new Map([['default', template]]);
  const { tokenizer } = model;
  const chatting = new Model(checkpoint.config, { tokenizer, chatTemplates }, engine, { dtype: 'f32', reason: '' });
  const [b] = tokenizer.encode('b');
  const messages: ChatMessage[] = [];
  for (let turn = 0; turn < 10; turn++) {
    messages.push({ role: 'user', content: 'a' });
    rows = 0;
    // Of the answer "bb" the second b is not run before the next turn.
    const { text } = await answer(chatting, messages, { maxNewTokens: 2, logitBias: { [b!]: 1000 } });
    expect(text).toBe('bb');
    // The question's four tokens, two that open the answer, one of the answer; before them what ended the last one.
    expect(rows, `turn ${turn}`).toBe(turn === 0 ? 7 : 9);
    messages.push({ role: 'assistant', content: text });
  }
  const [question, reply, opening, ran] = [4, 5, 2, 1];
  /** Rows of an answer after the content of a message was changed. */
  const rowsAfter = async (chat: readonly ChatMessage[]): Promise<number> => {
    rows = 0;
    await answer(chatting, chat, { maxNewTokens: 2, logitBias: { [b!]: 1000 } });
    return rows;
  };
  // The fourth question anew, and what came after it gone: its content and its end, what opens the answer, and the answer.
  const edited = [...messages.slice(0, 6), { role: 'user', content: 'c' }];
  expect(await rowsAfter(edited)).toBe(2 + opening + ran);
  edited.push({ role: 'assistant', content: 'bb' }, { role: 'user', content: 'a' });
  expect(await rowsAfter(edited)).toBe(2 + question + opening + ran);
  // The eighth question of the first talk, whose first three turns are still there: turns from the fourth on, up to the eighth.
  const other = [...messages.slice(0, 14), { role: 'user', content: 'd' }];
  expect(await rowsAfter(other)).toBe(2 + reply + 3 * (question + reply) + question + opening + ran);
  // The same again, another answer wanted: the last token of what opens it is run for its logits.
  expect(await rowsAfter(other)).toBe(1 + ran);
  chatting.dispose();
});
