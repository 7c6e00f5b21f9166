import type { TokenizerFiles } from '../load/checkpoint.ts';
import { unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import { gpt2Pattern } from './gpt2.ts';
import { bad, type Json } from './json.ts';
import { kinds } from './sentencepiece.ts';
import { byteFallbackDecoder, type Description, special, template, token } from './spm.ts';
import { endOfText } from './tokenizer.ts';

const contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const gpt4Pattern = (digits: string) =>
  String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const isolated = (Regex: string): Json => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated' });
const bytes: Json = { type: 'ByteLevel', use_regex: false };

/** Names of Llama 3's: whole pieces are taken before merges, and a text begins with a token of its own. */
const llama3 = ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'pixtral'];

const cutBy = (names: string[], ...patterns: string[]) =>
  names.map((name): [string, Json[]] => [name, [...patterns.map(isolated), bytes]]);

/** How a text is cut before its bytes are merged, by what llama.cpp calls it (llama-vocab.cpp). */
const cuts = new Map([
  ...cutBy(['default', 'gpt-2', 'olmo', 'jais', 'mpt'], gpt2Pattern),
  ...cutBy(['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone'], '\\p{N}', gpt2Pattern),
  ...cutBy(llama3, gpt4Pattern('\\p{N}{1,3}')),
  ...cutBy(['qwen2', 'stablelm2', 'deepseek-r1-qwen', 'megrez'], gpt4Pattern('\\p{N}')),
]);

/** The metadata of a GGUF file, read field by field. */
class Metadata {
  readonly #of: NonNullable<TokenizerFiles['gguf']>;

  constructor(of: NonNullable<TokenizerFiles['gguf']>) {
    this.#of = of;
  }

  value(name: string): unknown {
    return this.#of.fields.get(`tokenizer.ggml.${name}`);
  }

  refuse(name: string, expected: string): VitrineError {
    const found = `tokenizer.ggml.${name} in ${this.#of.file} is ${JSON.stringify(this.value(name)) ?? 'missing'}`;
    return unsupportedCheckpoint(`${found}; expected ${expected}.`);
  }

  list<Entry extends string | number>(name: string, type: 'string' | 'number', what: string): readonly Entry[] {
    const list = this.value(name);
    if (Array.isArray(list) && list.every((entry) => typeof entry === type)) return list as Entry[];
    const found = list === undefined ? 'missing' : `no list of ${what}`;
    throw bad(`tokenizer.ggml.${name} in ${this.#of.file} is ${found}.`);
  }

  /** One number for each token. */
  each(name: string, count: number): readonly number[] {
    const list = this.value(name) ?? [];
    if (Array.isArray(list) && (list.length === 0 || list.length === count)) return list as number[];
    throw bad(`tokenizer.ggml.${name} in ${this.#of.file} has not one number for each of ${count} tokens.`);
  }

  /** True is 1. */
  flag(name: string, otherwise: boolean): boolean {
    const value = this.value(name);
    return value === undefined ? otherwise : value === 1;
  }
}

/** The vocabulary in a GGUF file's metadata. */
export function describeGguf(files: NonNullable<TokenizerFiles['gguf']>): Description {
  const metadata = new Metadata(files);
  const model = metadata.value('model');
  if (model !== 'gpt2' && model !== 'llama' && model !== 'bert')
    throw metadata.refuse('model', '"gpt2", "llama" or "bert"');
  const pre = metadata.value('pre') ?? 'default';
  if (model === 'gpt2' && !cuts.has(pre as string)) throw metadata.refuse('pre', [...cuts.keys()].map(show).join(', '));
  const tokens = metadata.list<string>('tokens', 'string', 'strings');
  const kindOf = metadata.each('token_type', tokens.length);
  const kind = (id: number) => (tokens[id] === endOfText ? kinds.control : (kindOf[id] ?? kinds.normal));
  const ids = new Map<string, number>();
  for (const [id, content] of tokens.entries()) {
    const twin = ids.get(content);
    if (twin !== undefined) throw bad(`tokenizer.ggml.tokens has ${show(content)} twice, as ${twin} and ${id}.`);
    ids.set(content, id);
  }
  const named = (role: string): string | undefined => {
    const id = metadata.value(`${role}_token_id`) as number;
    return kind(id) === kinds.control || kind(id) === kinds.unknown ? tokens[id] : undefined;
  };
  const around = (role: 'bos' | 'eos', otherwise: boolean) => {
    const content = metadata.flag(`add_${role}_token`, otherwise) ? named(role) : undefined;
    return content === undefined ? [] : [content];
  };
  // llama.cpp's own defaults where a file is silent.
  const begins = model === 'llama' || llama3.includes(pre as string);
  const [before, after] = [around('bos', begins), around('eos', false)];
  const tokensAround = Object.fromEntries([...before, ...after].map((content) => [content, ids.get(content)!]));
  const added_tokens = tokens.flatMap((content, id): Json[] => {
    if (kind(id) === kinds.userDefined) return [{ id, content, normalized: true, spelled: true }];
    return kind(id) === kinds.control || kind(id) === kinds.unknown ? [special(content, id)] : [];
  });
  const parts = { metadata, tokens, kind, ids, pre: pre as string };
  const json = {
    ...(model === 'gpt2' ? byteLevel(parts) : model === 'llama' ? sentencePiece(parts) : wordPiece(parts)),
    added_tokens,
    ...(model !== 'bert' && { post_processor: template(before.map(token), after.map(token), tokensAround) }),
  };
  const roles = ['bos', 'eos', 'unknown', 'padding', 'mask'] as const;
  const [bos_token, eos_token, unk_token, pad_token, mask_token] = roles.map(named);
  const names = { whole: 'tokenizer.ggml', vocab: 'tokenizer.ggml.tokens', merges: 'tokenizer.ggml.merges' };
  return { json, names, config: { bos_token, eos_token, unk_token, pad_token, mask_token } };
}

interface Parts {
  metadata: Metadata;
  tokens: readonly string[];
  kind: (id: number) => number;
  ids: ReadonlyMap<string, number>;
  pre: string;
}

function byteLevel({ metadata, ids, pre }: Parts): Json {
  const merges = metadata.list<string>('merges', 'string', 'strings');
  const pretokenizers = [...cuts.get(pre)!];
  if (metadata.flag('add_space_prefix', false)) pretokenizers.push({ ...bytes, add_prefix_space: true });
  return {
    model: { type: 'BPE', vocab: Object.fromEntries(ids), merges, ignore_merges: llama3.includes(pre) },
    pre_tokenizer: { type: 'Sequence', pretokenizers },
    decoder: { type: 'ByteLevel' },
  };
}

function sentencePiece({ metadata, tokens, kind, ids }: Parts): Json {
  const scores = metadata.list<number>('scores', 'number', 'numbers');
  if (scores.length !== tokens.length) metadata.each('scores', tokens.length);
  const unknown = tokens.findIndex((_, id) => kind(id) === kinds.unknown);
  const addsPrefix = metadata.flag('add_space_prefix', true);
  return {
    model: {
      type: 'ScoredBPE',
      vocab: tokens.flatMap((piece, id) => (kind(id) === kinds.normal ? [[piece, scores[id]]] : [])),
      ids: Object.fromEntries(ids),
      unk_id: unknown < 0 ? null : unknown,
      byte_fallback: true,
    },
    normalizer: { type: 'SentencePiece', charsmap: new Uint8Array(), addsPrefix, removesSpaces: false },
    decoder: byteFallbackDecoder(addsPrefix),
  };
}

/** llama.cpp marks the beginnings of words, and not what goes on with them. */
function wordPiece({ metadata, tokens, kind }: Parts): Json {
  const spelled = (content: string, id: number) => {
    if (kind(id) !== kinds.normal) return content;
    return content.startsWith('▁') ? content.slice(1) : `##${content}`;
  };
  const vocab = Object.fromEntries(tokens.map((content, id) => [spelled(content, id), id]));
  const idOf = (...names: string[]): number => {
    const ids = names.map((name) => metadata.value(`${name}_token_id`));
    const found = ids.find((id) => tokens[id as number] !== undefined);
    if (found === undefined) throw metadata.refuse(`${names[0]}_token_id`, 'a token');
    return found as number;
  };
  const [cls, sep] = [idOf('cls', 'bos'), idOf('seperator', 'eos')]; // spelled so in the format
  return {
    model: { type: 'WordPiece', vocab, unk_token: tokens[idOf('unknown')] },
    normalizer: { type: 'BertNormalizer' },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', cls: [tokens[cls], cls], sep: [tokens[sep], sep] },
    decoder: { type: 'WordPiece' },
  };
}
