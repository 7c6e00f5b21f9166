import { badOption } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import { bad, check, type Json, list, object, refuse } from './json.ts';
import type { ScoredPiece, WordModel } from './word-model.ts';
import { bytePair, remembering, scoredPairs, unigram, wordPiece } from './word-model.ts';

/** What messages call the parts of a tokenizer's description. */
export interface Names {
  whole: string;
  vocab: string;
  merges: string;
}

/** The pieces of a described model with their ids, which are below `vocabSize` and no one's twice. */
export function readPieces(model: Json, { vocab: where }: Names, vocabSize: number): Map<string, number> {
  const pieces = new Map<string, number>();
  const seen = new Set<number>();
  const add = (piece: string, id: unknown) => {
    checkId(id, () => `${where}: ${show(piece)}`, vocabSize);
    if (seen.has(id)) throw bad(`${where}: ${show(piece)} has the id ${id} of another piece.`);
    seen.add(id);
    pieces.set(piece, id);
  };
  if (model.ids === undefined && model.type === 'Unigram') {
    for (const [id, [piece]] of readScores(model, where).entries()) {
      // A vocabulary may fill places with the same text; only the first of them is found.
      if (pieces.has(piece)) checkId(id, () => `${where}: ${show(piece)}`, vocabSize);
      else add(piece, id);
    }
  } else for (const [piece, id] of Object.entries(object(model.ids ?? model.vocab, where))) add(piece, id);
  return pieces;
}

export function checkId(id: unknown, where: string | (() => string), vocabSize: number): asserts id is number {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabSize) return;
  throw bad(
    `${typeof where === 'string' ? where : where()} has the id ${show(id)}, expected 0 to ${vocabSize - 1}, as the model has ${vocabSize} tokens.`,
  );
}

function readScores(model: Json, where: string): [piece: string, score: number][] {
  return list(model.vocab, where).map((entry, i) => {
    const [piece, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof piece !== 'string') throw bad(`${where}[${i}] is ${show(entry)}, expected a piece and its score.`);
    if (typeof score !== 'number' || !Number.isFinite(score)) {
      throw bad(`${where}[${i}]: ${show(piece)} has the score ${show(score)}, expected a number.`);
    }
    return [piece, score];
  });
}

/** The described model. What is special is no piece of a text: it is found as a whole, or not at all. */
export function readModel(
  model: Json,
  names: Names,
  pieces: ReadonlyMap<string, number>,
  specials: ReadonlyMap<string, number>,
): WordModel {
  const plain = new Map(pieces);
  for (const content of specials.keys()) plain.delete(content);
  const parts = { model, names, where: `${names.whole}: model`, pieces, plain };
  switch (model.type) {
    case 'WordPiece':
      return remembering(readWordPiece(parts));
    case 'BPE':
      return remembering(readBytePair(parts));
    case 'Unigram':
    case 'ScoredBPE':
      return remembering(readScored(parts));
    default:
      throw refuse(`${parts.where}.type`, model.type, '"BPE", "WordPiece" or "Unigram"');
  }
}

interface ModelParts {
  model: Json;
  names: Names;
  where: string;
  pieces: ReadonlyMap<string, number>;
  /** Those that are not special. */
  plain: ReadonlyMap<string, number>;
}

function unknownOf({ model, where, pieces }: ModelParts): number | undefined {
  const { unk_token } = model;
  const id = typeof unk_token === 'string' ? pieces.get(unk_token) : undefined;
  if (id !== undefined || unk_token == null || unk_token === '') return id;
  throw bad(`${where}.unk_token is ${show(unk_token)}, which is not in the vocabulary.`);
}

const unspeakable = (text: string) =>
  badOption(`The vocabulary lacks bytes of this text: it has no piece for ${show(text)}.`);

function readWordPiece(parts: ModelParts): WordModel {
  const { model, where, plain } = parts;
  const { continuing_subword_prefix: prefix = '##', max_input_chars_per_word: mostCharacters = 100 } = model;
  if (typeof prefix !== 'string') throw bad(`${where}.continuing_subword_prefix is ${show(prefix)}, expected a text.`);
  if (typeof mostCharacters !== 'number' || !(mostCharacters >= 0)) {
    throw bad(`${where}.max_input_chars_per_word is ${show(mostCharacters)}, expected a number.`);
  }
  const unknown = unknownOf(parts);
  if (unknown === undefined) throw bad(`${where}.unk_token is ${show(model.unk_token)}, expected a piece.`);
  return wordPiece(plain, { unknown, prefix, mostCharacters });
}

function readBytePair(parts: ModelParts): WordModel {
  const { model, names, where, pieces, plain } = parts;
  const missing = { dropout: 0, continuing_subword_prefix: '', end_of_word_suffix: '' };
  for (const [name, value] of Object.entries(missing)) check(`${where}.${name}`, model[name] ?? value, value);
  const flag = (name: string) => {
    check(`${where}.${name}`, model[name] ?? false, true, false);
    return model[name] === true;
  };
  const options = {
    unknown: unknownOf(parts),
    fuseUnknown: flag('fuse_unk'),
    byteFallback: flag('byte_fallback'),
    whole: flag('ignore_merges') ? plain : undefined,
  };
  return bytePair(pieces, readMerges(model, names, pieces), options, unspeakable);
}

/** Unigram, or byte-pair encoding whose merges are told by the scores of what they make. */
function readScored({ model, names, where, pieces, plain }: ModelParts): WordModel {
  const { unk_id = null, byte_fallback = false } = model;
  check(`${where}.byte_fallback`, byte_fallback, true, false);
  const scores = readScores(model, names.vocab);
  if (unk_id !== null) checkId(unk_id, `${where}.unk_id`, Math.max(scores.length, pieces.size));
  const unknown = unk_id ?? undefined;
  const scored = scores.flatMap(([piece, score]): ScoredPiece[] => {
    const id = plain.get(piece) ?? (pieces.has(piece) ? undefined : unknown);
    return id === undefined || piece === '' ? [] : [{ piece, score, id }];
  });
  const options = { unknown, byteFallback: byte_fallback === true };
  if (model.type === 'Unigram') return unigram(scored, plain, options, unspeakable);
  return scoredPairs(scored, plain, options, unspeakable);
}

/** Merges of two pieces, each with the piece that they become. */
function readMerges(model: Json, { merges: where }: Names, pieces: ReadonlyMap<string, number>) {
  return list(model.merges, where).map((merge, i): [number, number, number] => {
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left, right] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof left !== 'string' || typeof right !== 'string' || (pair as unknown[]).length > 2) {
      throw bad(`${where}: entry ${i} is ${show(merge)}, expected two pieces.`);
    }
    const idOf = (piece: string): number => {
      const id = pieces.get(piece);
      if (id !== undefined) return id;
      throw bad(`${where}: entry ${i} needs ${show(piece)}, which is not in the vocabulary.`);
    };
    return [idOf(left), idOf(right), idOf(left + right)];
  });
}
