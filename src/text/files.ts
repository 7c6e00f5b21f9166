import type { TokenizerFiles } from '../load/checkpoint.ts';
import { part } from '../plan/part.ts';
import { show } from '../plan/show.ts';
import type { Described } from './build.ts';
import { bad, type Json, readObject } from './json.ts';
import type { Description } from './spm.ts';
import { endOfText } from './tokenizer.ts';

/** Describes the tokenizer of a checkpoint's files in the terms of tokenizer.json; null if there are none. Throws `bad-checkpoint`. */
export async function describe(files: TokenizerFiles, vocabSize: number): Promise<Described | null> {
  const described = await describeFiles(files, vocabSize);
  if (described === null) return null;
  return {
    ...described,
    config: { ...described.config, ...readObject(files.config, 'tokenizer_config.json') },
    specialTokens: readObject(files.specialTokens, 'special_tokens_map.json'),
    addedTokens: readObject(files.addedTokens, 'added_tokens.json'),
  };
}

const spm = () => part('The reader of SentencePiece models', () => import('./spm.ts'));

async function describeFiles(files: TokenizerFiles, vocabSize: number): Promise<Description | null> {
  const whole = 'tokenizer.json';
  if (files.source ?? files.target) return (await spm()).describeMarian(files);
  if (files.tokenizerJson !== undefined) {
    const json = readObject(files.tokenizerJson, whole);
    return { json, names: { whole, vocab: `${whole}: model.vocab`, merges: `${whole}: model.merges` } };
  }
  if (files.gguf) {
    const { describeGguf } = await part('The reader of GGUF vocabularies', () => import('./gguf.ts'));
    return describeGguf(files.gguf);
  }
  if (files.wordPieces !== undefined) return describeWordPieces(files.wordPieces, files.config);
  if (files.sentencePieces) return (await spm()).describeSentencePieces(files.sentencePieces, files, vocabSize);
  if (files.vocab === undefined && files.merges === undefined) return null;
  if (files.vocab === undefined) throw bad('vocab.json is missing beside merges.txt.');
  if (files.merges === undefined) throw bad('merges.txt is missing beside vocab.json.');
  return describeBytePairs(readObject(files.vocab, 'vocab.json'), files.merges);
}

/** vocab.json and merges.txt: bytes, cut as GPT-2 does; with RoBERTa's tokens around a text where the vocabulary has them. */
function describeBytePairs(vocab: Json, merges: string): Description {
  const lines = merges.replace(/^#version.*/, '').split(/[\r\n]+/);
  const has = (...contents: string[]) => contents.every((content) => Object.hasOwn(vocab, content));
  const around = has('<s>', '</s>', '<mask>')
    ? { type: 'RobertaProcessing', cls: ['<s>', vocab['<s>']], sep: ['</s>', vocab['</s>']], add_prefix_space: false }
    : null;
  const specials = ['<s>', '</s>', '<unk>', '<pad>', '<mask>'].filter((content) => around !== null && has(content));
  const json = {
    model: { type: 'BPE', vocab, merges: lines.filter((line) => line !== '') },
    pre_tokenizer: { type: 'ByteLevel' },
    post_processor: around,
    decoder: { type: 'ByteLevel' },
    added_tokens: [...(has(endOfText) ? [endOfText] : []), ...specials].map((content) => ({
      id: vocab[content],
      content,
      special: true,
      lstrip: content === '<mask>',
    })),
  };
  return { json, names: { whole: 'vocab.json', vocab: 'vocab.json', merges: 'merges.txt' } };
}

/** vocab.txt: a piece a line, its id the number of the line. */
function describeWordPieces(lines: string, configText: string | undefined): Description {
  const config = readObject(configText, 'tokenizer_config.json');
  const pieces = lines.split(/\r?\n/);
  if (pieces.at(-1) === '') pieces.pop();
  const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  const named = (role: string, usual: string) => {
    const found = config[`${role}_token`];
    const content = typeof found === 'object' && found !== null ? (found as Json).content : found;
    return typeof content === 'string' ? content : usual;
  };
  const [unknown, cls, sep] = [named('unk', '[UNK]'), named('cls', '[CLS]'), named('sep', '[SEP]')];
  const specials = [unknown, sep, named('pad', '[PAD]'), cls, named('mask', '[MASK]')];
  for (const content of [unknown, cls, sep]) {
    if (!Object.hasOwn(vocab, content)) throw bad(`vocab.txt lacks ${show(content)}, which every text needs.`);
  }
  const { do_lower_case: lowercase = true, strip_accents = null, tokenize_chinese_chars = true } = config;
  const json = {
    model: { type: 'WordPiece', vocab, unk_token: unknown },
    normalizer: { type: 'BertNormalizer', lowercase, strip_accents, handle_chinese_chars: tokenize_chinese_chars },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', cls: [cls, vocab[cls]], sep: [sep, vocab[sep]] },
    decoder: { type: 'WordPiece' },
    added_tokens: specials
      .filter((content) => Object.hasOwn(vocab, content))
      .map((content) => ({ id: vocab[content], content, special: true })),
  };
  return { json, names: { whole: 'vocab.txt', vocab: 'vocab.txt', merges: 'vocab.txt' } };
}
