import { VitrineError } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { check, type Json, list, object, type VocabularyFiles } from './files.ts';
import { gpt2Pattern } from './gpt2.ts';
import type { Vocabulary } from './tokenizer.ts';

/** The vocabulary of a checkpoint's own files, by @huggingface/tokenizers, which is a chunk of its own. */
export async function byteLevelVocabulary(files: VocabularyFiles): Promise<Vocabulary> {
  const { vocab, merges, pieces, specials, normalizer, model } = files;
  const unk_token = model.unk_token ?? ''; // without any, the library leaves bytes that have no piece out
  const pre_tokenizer = preTokenizerOf(files.preTokenizer, 'pre_tokenizer');
  if (!JSON.stringify(pre_tokenizer).includes('"ByteLevel"')) check('pre_tokenizer', files.preTokenizer, 'ByteLevel');
  const config = {
    model: { ...model, type: 'BPE', vocab, merges, unk_token },
    normalizer,
    pre_tokenizer,
    post_processor: null,
    decoder: null,
    added_tokens: files.added,
  };
  const { Tokenizer } = await part('The tokenizer library', () => import('@huggingface/tokenizers'));
  let tokenizer: InstanceType<typeof Tokenizer>;
  try {
    tokenizer = new Tokenizer(config, {});
  } catch (cause) {
    throw new VitrineError('unsupported-checkpoint', `tokenizer.json: ${String(cause)}.`, { cause });
  }
  const encode = (text: string): number[] => {
    const ids: (number | undefined)[] = tokenizer.encode(text, { add_special_tokens: false }).ids;
    if (ids.includes(undefined)) throw new VitrineError('bad-option', 'The vocabulary lacks bytes of this text.');
    return ids as number[];
  };
  return { pieces, specials, encode };
}

/**
 * Spells a pre-tokenizer in the terms that the library takes as Hugging Face's own tokenizers do: its ByteLevel reads
 * `\s` as JavaScript does, its Digits knows ASCII alone, its Split ignores other behaviors.
 */
function preTokenizerOf(json: Json, where: string): Json {
  check(`${where}.type`, json.type, 'ByteLevel', 'Sequence', 'Split', 'Digits');
  if (json.type === 'Sequence') {
    const parts = list(json.pretokenizers, `tokenizer.json: ${where}.pretokenizers`);
    return sequence(...parts.map((part, i) => preTokenizerOf(object(part, `${where}[${i}]`), `${where}[${i}]`)));
  }
  if (json.type === 'Digits') return split(json.individual_digits === true ? '\\p{N}' : '\\p{N}+');
  if (json.type === 'Split') {
    check(`${where}.behavior`, json.behavior, 'Isolated', 'Removed');
    check(`${where}.invert`, json.invert ?? false, false);
    return { ...json, invert: false };
  }
  const prefix = { type: 'Replace', pattern: { Regex: '\\A(?! )' }, content: ' ' };
  const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  const words = json.use_regex === false ? bytes : sequence(split(gpt2Pattern), bytes);
  return json.add_prefix_space === true ? sequence(prefix, words) : words;
}

const split = (Regex: string): Json => ({ type: 'Split', pattern: { Regex }, invert: false });
const sequence = (...pretokenizers: Json[]): Json => ({ type: 'Sequence', pretokenizers });
