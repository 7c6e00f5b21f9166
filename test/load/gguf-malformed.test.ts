import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { type ErrorCode, VitrineError } from '../../src/plan/error.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { concat } from './tiny-checkpoint.ts';
import {
  encodeGguf,
  type GgufParts,
  type GgufTensor,
  type GgufValue,
  Raw,
  string,
  tinyGguf,
  u32,
  u64,
} from './tiny-gguf.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A sound file's parts, changed. */
const parts = (change: (parts: GgufParts) => unknown) => (): Bytes => {
  const sound = tinyGguf();
  change(sound);
  return encodeGguf(sound);
};

const field = (name: string, value: GgufValue | undefined) =>
  parts(({ fields }) => (value === undefined ? fields.delete(name) : fields.set(name, value)));

const wpe = 'position_embd.weight';
const tensor = (changes: Partial<GgufTensor>, name = wpe) =>
  parts(({ tensors }) => Object.assign(tensors.find((one) => one.name === name)!, changes));

/** The sound file with other bytes from `at` on. */
const patched =
  (at: number, ...bytes: Bytes[]) =>
  () => {
    const whole = encodeGguf(tinyGguf());
    whole.set(concat(bytes), at);
    return whole;
  };

const cut = (keep: (length: number) => number) => () => {
  const whole = encodeGguf(tinyGguf());
  return whole.slice(0, keep(whole.length));
};

const bad = 'bad-checkpoint';
const unsupported = 'unsupported-checkpoint';
const huge = 2n ** 62n;
const bytesOf = (length: number): Bytes => new Uint8Array(length);

/** A name, the code and part of the message that a file is refused with, and the file. */
const cases: [string, ErrorCode, string | RegExp, () => Bytes][] = [
  ['an empty file', bad, 'tiny.gguf begins with ""; expected "GGUF"', () => bytesOf(0)],
  ['another format', bad, 'begins with "\\b\\u0000', patched(0, u64(8))],
  ['a web page', bad, 'begins with "<!do"', () => new TextEncoder().encode('<!doctype html><p>Sorry')],
  ['a Git LFS pointer', bad, /begins with "vers".*git lfs pull/s, () => new TextEncoder().encode('version https://')],
  ['version 1', unsupported, 'has GGUF version 1; expected 3', parts((all) => (all.version = 1))],
  ['version 4', unsupported, 'has GGUF version 4', parts((all) => (all.version = 4))],
  ['big endian', unsupported, 'as big-endian files do', parts((all) => (all.version = 0x03000000))],
  ['cut within the counts', bad, 'the number of tensors is 16; expected at most 0 in 20 bytes', cut(() => 20)],
  ['cut within the metadata', bad, 'the number of tensors is 16; expected at most 1 in 60 bytes', cut(() => 60)],
  ['cut within a field', bad, 'the length of metadata field 9 is 21; expected at most 13 in 410 bytes', cut(() => 410)],
  [
    'cut within the tensors',
    bad,
    /output_norm.weight ends at byte \d+; tiny.gguf has \d+\. Fetch it again/,
    cut((length) => length - 200),
  ],
  ['cut before the tensors', bad, /ends at byte \d+; tiny.gguf has 2000/, cut(() => 2000)],

  // Counts and lengths
  ['fields: 2^62', bad, /the number of metadata fields is 46116860184273\d+; expected at most/, patched(16, u64(huge))],
  ['fields: a million', bad, 'the number of metadata fields is 1000000', patched(16, u64(1_000_000))],
  ['tensors: 2^62', bad, 'the number of tensors is 46116860184273', patched(8, u64(huge))],
  ['tensors: more than there are', bad, /within|is not UTF-8|expected at most/, parts((all) => (all.tensorCount = 30))],
  ['a key of 2^62 bytes', bad, 'the length of metadata field 0 is 46116860184273', patched(24, u64(huge))],
  ['a key of 2^40 bytes', bad, 'the length of metadata field 0 is 1099511627776', patched(24, u64(2n ** 40n))],
  [
    'a key that is not UTF-8',
    bad,
    'metadata field 0 in tiny.gguf is not UTF-8',
    patched(32, new Uint8Array([255, 254])),
  ],
  [
    'a key twice',
    bad,
    'has the metadata field general.architecture twice',
    parts((all) => all.moreFields.push(['general.architecture', 'gpt2'])),
  ],
  [
    'a field of type 13',
    bad,
    'general.name in tiny.gguf has the metadata type 13; expected 0 to 12',
    field('general.name', new Raw(13, u32(0))),
  ],
  [
    'a string of 2^40 bytes',
    bad,
    'the length of general.name is 1099511627776',
    field('general.name', new Raw(8, u64(2n ** 40n))),
  ],
  ['an array of 2^62', bad, 'the length of x is 46116860184273', field('x', new Raw(9, u32(4), u64(huge)))],
  ['an array of 2^61 strings', bad, 'the length of x is', field('x', new Raw(9, u32(8), u64(2n ** 61n)))],
  ['an array of type 99', bad, 'x in tiny.gguf has the metadata type 99', field('x', new Raw(9, u32(99), u64(1)))],
  [
    'an array of arrays of arrays ...',
    bad,
    'x in tiny.gguf has arrays nested deeper than 4',
    field('x', new Raw(9, ...Array.from({ length: 9 }, () => concat([u32(9), u64(1)])))),
  ],
  [
    'tokens that are more than fit',
    bad,
    'the length of tokenizer.ggml.tokens is 4000000000',
    field('tokenizer.ggml.tokens', new Raw(9, u32(8), u64(4_000_000_000))),
  ],

  // Tensors
  [
    'five axes',
    bad,
    'position_embd.weight in tiny.gguf has 5 axes; expected at most 4',
    tensor({ axes: [32, 8, 1, 1, 1] }),
  ],
  ['2^32 - 1 axes', bad, 'has 4294967295 axes', tensor({ axisCount: 4294967295 })],
  ['an axis of 2^62', bad, 'more than any file holds', tensor({ axes: [32, Number(huge)] })],
  ['axes whose product is beyond integers', bad, 'more than any file holds', tensor({ axes: [2 ** 40, 2 ** 40] })],
  [
    'a shape beyond the file',
    bad,
    /position_embd.weight ends at byte \d+; tiny.gguf has|within position_embd/,
    tensor({ axes: [32, 800_000] }),
  ],
  [
    'another shape',
    bad,
    'position_embd.weight in tiny.gguf has the shape [4,64]; expected [8,32] by its metadata',
    tensor({ axes: [64, 4] }),
  ],
  [
    'rows that are no blocks',
    bad,
    "has rows of 16 values; expected a multiple of Q8_0's 32",
    tensor({ type: 8, axes: [16, 16] }),
  ],
  [
    'a type that is not read',
    unsupported,
    'position_embd.weight in tiny.gguf is stored as IQ2_XS; expected one of F32, F16',
    tensor({ type: 17 }),
  ],
  ['a type of the future', unsupported, 'is stored as type 250', tensor({ type: 250 })],
  [
    'an offset off the alignment',
    bad,
    /begins at data offset 2064; expected a multiple of the alignment 32/,
    tensor({ offset: 2064 }),
  ],
  ['an offset within another', bad, 'begins at data offset 1024, within token_embd.weight', tensor({ offset: 1024 })],
  ['an offset beyond the file', bad, /ends at byte 1099511\d+; tiny.gguf has/, tensor({ offset: 2 ** 40 })],
  ['an offset of 2^62', bad, 'more than any file holds', tensor({ offset: huge })],
  ['a tensor twice', bad, 'has the tensor token_embd.weight twice', tensor({ name: 'token_embd.weight' })],
  [
    'a tensor less',
    bad,
    /lacks the tensor position_embd.weight of shape \[8,32\]/,
    parts(({ tensors }) => tensors.splice(1, 1)),
  ],
  [
    'a tensor of the body less',
    bad,
    'lacks the tensor blk.0.attn_qkv.weight of shape [96,32]',
    tensor({ name: 'x' }, 'blk.0.attn_qkv.weight'),
  ],
  ['no words', bad, 'lacks the tensor token_embd.weight', tensor({ name: 'x' }, 'token_embd.weight')],
  [
    'a tensor of another family',
    unsupported,
    'holds blk.0.attn_gate.weight, which no GPT-2 has',
    parts(({ tensors }) => tensors.push({ name: 'blk.0.attn_gate.weight', type: 0, axes: [32], bytes: bytesOf(128) })),
  ],
  [
    'a block too many',
    bad,
    'holds blk.1.attn_norm.weight, but gpt2.block_count is 1',
    parts(({ tensors }) => tensors.push({ name: 'blk.1.attn_norm.weight', type: 0, axes: [32], bytes: bytesOf(128) })),
  ],
  ['alignment 0', bad, 'general.alignment in tiny.gguf is 0; expected a multiple of 8', field('general.alignment', 0)],
  ['alignment 12', bad, 'general.alignment in tiny.gguf is 12', field('general.alignment', 12)],
  ['alignment a string', bad, 'general.alignment in tiny.gguf is "32"', field('general.alignment', '32')],

  // Config
  [
    'another architecture',
    unsupported,
    'general.architecture in tiny.gguf is "rwkv6"; expected one of "gpt2", "llama"',
    field('general.architecture', 'rwkv6'),
  ],
  [
    'no architecture',
    unsupported,
    'general.architecture in tiny.gguf is missing',
    field('general.architecture', undefined),
  ],
  ['a part of a model', unsupported, 'is one of 3 parts of a model', field('split.count', 3)],
  [
    'no width',
    bad,
    'gpt2.embedding_length in tiny.gguf is missing; expected an integer from 1',
    field('gpt2.embedding_length', undefined),
  ],
  [
    'heads that do not divide it',
    bad,
    'gpt2.embedding_length in tiny.gguf is 32; expected a multiple of gpt2.attention.head_count, which is 3',
    field('gpt2.attention.head_count', 3),
  ],
  ['no blocks', bad, 'gpt2.block_count in tiny.gguf is 0', field('gpt2.block_count', 0)],
  ['blocks: a string', bad, 'gpt2.block_count in tiny.gguf is "1"', field('gpt2.block_count', '1')],
  ['blocks: 4 billion', bad, 'gpt2.block_count in tiny.gguf is 4294967295', field('gpt2.block_count', 4294967295)],
  ['blocks: a list', bad, 'gpt2.block_count in tiny.gguf is missing', field('gpt2.block_count', [1])],
  [
    'epsilon NaN',
    bad,
    'gpt2.attention.layer_norm_epsilon in tiny.gguf is NaN',
    field('gpt2.attention.layer_norm_epsilon', Number.NaN),
  ],

  // Tokenizer
  [
    'another tokenizer',
    unsupported,
    'tokenizer.ggml.model in tiny.gguf is "rwkv"; expected "gpt2", "llama" or "bert"',
    field('tokenizer.ggml.model', 'rwkv'),
  ],
  [
    'another pre-tokenizer',
    unsupported,
    'tokenizer.ggml.pre in tiny.gguf is "chatglm-bpe"; expected "default", "gpt-2"',
    field('tokenizer.ggml.pre', 'chatglm-bpe'),
  ],
  ['no tokens', bad, 'tokenizer.ggml.tokens in tiny.gguf is missing', field('tokenizer.ggml.tokens', undefined)],
  [
    'tokens that are numbers',
    bad,
    'tokenizer.ggml.tokens in tiny.gguf is no list of strings',
    field('tokenizer.ggml.tokens', [1, 2]),
  ],
  ['no merges', bad, 'tokenizer.ggml.merges in tiny.gguf is missing', field('tokenizer.ggml.merges', undefined)],
  [
    'kinds for other tokens',
    bad,
    'tokenizer.ggml.token_type in tiny.gguf has not one number for each of 16 tokens',
    field('tokenizer.ggml.token_type', [1, 3]),
  ],
  [
    'a merge of unknown pieces',
    bad,
    'tokenizer.ggml.merges: entry 0 needs "z"',
    field('tokenizer.ggml.merges', ['a z']),
  ],
  [
    'a merge of three',
    bad,
    'tokenizer.ggml.merges: entry 0 is "a b c", expected two pieces',
    field('tokenizer.ggml.merges', ['a b c']),
  ],
  [
    'a token twice',
    bad,
    'tokenizer.ggml.tokens has "a" twice, as 0 and 1',
    field('tokenizer.ggml.tokens', [...'aabcdefghijklmno']),
  ],
  [
    'more tokens than words',
    bad,
    'has the id 16, expected 0 to 15',
    parts(({ fields }) => {
      fields.set('tokenizer.ggml.tokens', [...'abcdefghijklmnopq']);
      fields.delete('tokenizer.ggml.token_type');
      fields.set('tokenizer.ggml.merges', new Raw(9, u32(8), u64(0)));
    }),
  ],
];

async function open(bytes: Bytes): Promise<void> {
  const checkpoint = await openCheckpoint([new File([bytes], 'tiny.gguf')]);
  const { config } = checkpoint;
  checkpoint.check(gpt2Plan(config).weights);
  await loadTokenizer(await checkpoint.tokenizerFiles(), config.vocabSize);
}

describe('a malformed GGUF file is refused before any weight is read', () => {
  test('where nothing is wrong, it opens', async () => {
    await open(encodeGguf(tinyGguf()));
  });

  test.each(cases)('%s', async (_, code, message, make) => {
    const error = await open(make()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(VitrineError);
    expect((error as VitrineError).message).toMatch(message);
    expect((error as VitrineError).code).toBe(code);
  });

  test('any cut, and any byte of the header changed: an error of ours or a sound file', async () => {
    const whole = encodeGguf(tinyGguf());
    const header = whole.length - tinyGguf().tensors.reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (let at = 0; at < header; at += 3) {
      const broken = whole.slice();
      broken[at] = broken[at]! ^ (1 << (at % 8));
      for (const bytes of [broken, whole.slice(0, at)]) {
        const error = await open(bytes).catch((reason: unknown) => reason);
        if (error !== undefined) expect(error, `byte ${at}`).toBeInstanceOf(VitrineError);
      }
    }
  });
});

test('what nobody asks for is passed over', async () => {
  await open(
    parts(({ fields }) => {
      fields.set('scores', [...Array(5000).keys()]);
      fields.set('words', ['a', 'bc', '']);
      fields.set('nested', new Raw(9, u32(9), u64(2), u32(4), u64(1), u32(7), u32(8), u64(1), string('x')));
      fields.set('doubles', new Raw(12, u64(0)));
      fields.set('flag', new Raw(7, new Uint8Array([1])));
    })(),
  );
});
