import type { TokenizerFiles } from '../load/checkpoint.ts';
import { parseJson } from '../load/files.ts';
import { VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import { binaryOfLetters, binaryOfText } from './bytes.ts';
import { endOfText } from './tokenizer.ts';

export type Json = Record<string, unknown>;

/** A byte-level BPE as a checkpoint's files give it, checked. */
export type VocabularyFiles = ReturnType<typeof read>;

/** llama.cpp's kinds of tokens that are found whole, and not by merging. */
const [control, userDefined] = [3, 4];

/**
 * Reads tokenizer.json, GGUF's metadata, or else vocab.json with merges.txt; null if there is neither. Throws `bad-checkpoint` for what
 * is broken, `unsupported-checkpoint` for what is no byte-level BPE.
 */
export function readVocabularyFiles(files: TokenizerFiles, vocabSize: number): VocabularyFiles | null {
  if (files.tokenizerJson !== undefined) {
    const json = object(parseJson(files.tokenizerJson, 'tokenizer.json'), 'tokenizer.json');
    return read(json, ['tokenizer.json: model.vocab', 'tokenizer.json: model.merges'], vocabSize);
  }
  if (files.gguf) return readGgufVocabulary(files.gguf, vocabSize);
  if (files.vocab === undefined && files.merges === undefined) return null;
  if (files.vocab === undefined) throw bad('vocab.json is missing beside merges.txt.');
  if (files.merges === undefined) throw bad('merges.txt is missing beside vocab.json.');
  const vocab = object(parseJson(files.vocab, 'vocab.json'), 'vocab.json');
  const lines = files.merges.replace(/^#version.*/, '').split(/[\r\n]+/);
  const json = {
    model: { vocab, merges: lines.filter((line) => line !== '') },
    pre_tokenizer: { type: 'ByteLevel' },
    added_tokens: endOfText in vocab ? [{ id: vocab[endOfText], content: endOfText }] : [],
  };
  return read(json, ['vocab.json', 'merges.txt'], vocabSize);
}

function readGgufVocabulary({ tokens, merges, kinds }: NonNullable<TokenizerFiles['gguf']>, vocabSize: number) {
  const added_tokens: Json[] = [];
  const pieces = new Map<string, number>();
  for (const [id, content] of tokens.entries()) {
    const kind = content === endOfText ? control : kinds[id];
    if (kind === control || kind === userDefined) added_tokens.push({ id, content, special: kind === control });
    const twin = pieces.get(content);
    if (twin !== undefined) throw bad(`tokenizer.ggml.tokens has ${show(content)} twice, as ${twin} and ${id}.`);
    pieces.set(content, id);
  }
  const json = {
    model: { vocab: Object.fromEntries(pieces), merges },
    pre_tokenizer: { type: 'ByteLevel' },
    added_tokens,
  };
  return read(json, ['tokenizer.ggml.tokens', 'tokenizer.ggml.merges'], vocabSize);
}

function read(json: Json, [vocabName, mergesName]: [string, string], vocabSize: number) {
  const model = object(json.model, 'tokenizer.json: model');
  const plain = { byte_fallback: false, dropout: 0, continuing_subword_prefix: '', end_of_word_suffix: '' };
  check('model.type', model.type ?? 'BPE', 'BPE');
  for (const [name, value] of Object.entries(plain)) check(`model.${name}`, model[name] ?? value, value);
  if (json.decoder != null) check('decoder.type', object(json.decoder, 'tokenizer.json: decoder').type, 'ByteLevel');
  const pieces: string[] = []; // by id, one char per byte
  const vocab = object(model.vocab, vocabName) as Record<string, number>;
  for (const [piece, id] of Object.entries(vocab)) {
    checkId(id, `${vocabName}: ${show(piece)}`, vocabSize);
    if (pieces[id] !== undefined) throw bad(`${vocabName}: ${show(piece)} has the id ${id} of another piece.`);
    pieces[id] = binaryOfLetters(piece);
  }
  const merges = list(model.merges, mergesName).map((merge, i) => readMerge(merge, `${mergesName}: entry ${i}`, vocab));
  const specials = new Map<string, number>();
  const added: Json[] = []; // found in any text
  for (const [i, entry] of list(json.added_tokens ?? [], 'tokenizer.json: added_tokens').entries()) {
    const where = `tokenizer.json: added_tokens[${i}]`;
    const token = object(entry, where);
    const { id, content } = token;
    if (typeof content !== 'string' || content === '') throw bad(`${where} has no content.`);
    checkId(id, where, vocabSize);
    if (pieces[id] !== undefined && vocab[content] !== id) throw bad(`${where} has the id ${id} of another piece.`);
    for (const name of ['single_word', 'lstrip', 'rstrip']) check(`added_tokens[${i}].${name}`, !!token[name], false);
    pieces[id] = binaryOfText(content);
    if (token.special === true || content === endOfText) specials.set(content, id);
    else added.push(token);
  }
  const normalizer = json.normalizer == null ? null : object(json.normalizer, 'tokenizer.json: normalizer');
  const preTokenizer = object(json.pre_tokenizer, 'tokenizer.json: pre_tokenizer');
  return { vocab, merges, pieces, specials, added, model, normalizer, preTokenizer };
}

function checkId(id: unknown, where: string, vocabSize: number): asserts id is number {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabSize) return;
  throw bad(`${where} has the id ${show(id)}, expected 0 to ${vocabSize - 1}, as the model has ${vocabSize} tokens.`);
}

function readMerge(merge: unknown, where: string, vocab: Json): [string, string] {
  const [left, right, ...more] = typeof merge === 'string' ? merge.split(' ') : list(merge, where);
  if (typeof left !== 'string' || typeof right !== 'string' || more.length > 0) {
    throw bad(`${where} is ${show(merge)}, expected two pieces.`);
  }
  const unknown = [left, right, left + right].find((piece) => !Object.hasOwn(vocab, piece));
  if (unknown !== undefined) throw bad(`${where} needs ${show(unknown)}, which is not in the vocabulary.`);
  return [left, right];
}

export function object(json: unknown, where: string): Json {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Json;
  throw bad(`${where} is ${show(json)}, expected an object.`);
}

export function list(json: unknown, where: string): unknown[] {
  if (Array.isArray(json)) return json;
  throw bad(`${where} is ${show(json)}, expected a list.`);
}

/** Refuses a field of tokenizer.json that has not one of the values that are understood. */
export function check(field: string, found: unknown, ...understood: unknown[]): void {
  if (understood.includes(found)) return;
  const message = `tokenizer.json: ${field} is ${show(found)}, expected ${understood.map(show).join(' or ')}.`;
  throw new VitrineError('unsupported-checkpoint', message);
}

function bad(message: string): VitrineError {
  return new VitrineError('bad-checkpoint', message);
}
