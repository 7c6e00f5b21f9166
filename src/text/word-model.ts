import { eachCharacter } from './aligned.ts';
import { binaryOfText } from './bytes.ts';
import { type Cuts, merge, put, whole } from './merge.ts';

/** Cuts a word into pieces of a vocabulary. Places are UTF-16 units of the word. */
export type WordModel = (word: string) => Cuts;

/** Remembers short words. */
export function remembering(model: WordModel, most = 1 << 14): WordModel {
  const known = new Map<string, Cuts>();
  return (word) => {
    const before = known.get(word);
    if (before !== undefined) return before;
    const cuts = model(word);
    if (known.size >= most) known.clear();
    if (word.length <= 64) known.set(word, cuts);
    return cuts;
  };
}

/** WordPiece: the longest piece from the left on, again and again. A word with a part that has no piece is unknown as a whole. */
export function wordPiece(
  vocabulary: ReadonlyMap<string, number>,
  { unknown, prefix, mostCharacters }: { unknown: number; prefix: string; mostCharacters: number },
): WordModel {
  let longest = 0;
  for (const piece of vocabulary.keys()) longest = Math.max(longest, piece.length);
  return (word) => {
    if (word.length > mostCharacters && Array.from(word).length > mostCharacters) return whole(unknown, word.length);
    const cuts: Cuts = { ids: [], starts: [], ends: [] };
    for (let start = 0; start < word.length; ) {
      const begins = start === 0 ? '' : prefix;
      let end = Math.min(word.length, start + longest - begins.length);
      let id: number | undefined;
      // An end within a character finds nothing, as no piece has half of one.
      while (end > start && (id = vocabulary.get(begins + word.slice(start, end))) === undefined) end--;
      if (id === undefined) return whole(unknown, word.length);
      put(cuts, id, start, end);
      start = end;
    }
    return cuts;
  };
}

export interface BytePairOptions {
  unknown: number | undefined;
  /** Unknown characters in a row are one. */
  fuseUnknown: boolean;
  /** A character without a piece is spelled in the pieces of its bytes, `<0xE2>`. */
  byteFallback: boolean;
  /** Words that are pieces, whatever the merges say. */
  whole: ReadonlyMap<string, number> | undefined;
}

/** Byte-pair encoding by merges of two ids, the first the most wanted. Throws what `unspeakable` makes for a text that no piece spells. */
export function bytePair(
  vocabulary: ReadonlyMap<string, number>,
  merges: readonly (readonly [left: number, right: number, joined: number])[],
  options: BytePairOptions,
  unspeakable: (character: string) => Error,
): WordModel {
  const ranks = new Map(merges.map(([left, right], rank) => [left * 2 ** 21 + right, rank]));
  const rankOf = (left: number, right: number) => ranks.get(left * 2 ** 21 + right);
  const idOf = (rank: number) => merges[rank]![2];
  return (word) => {
    const known = options.whole?.get(word);
    if (known !== undefined) return whole(known, word.length);
    const begin = characters(word, vocabulary, options, unspeakable);
    return places(merge(begin.ids, rankOf, idOf), begin);
  };
}

/** Byte-pair encoding as SentencePiece does it: of two unions the one whose piece has the larger score. */
export function scoredPairs(
  pieces: readonly ScoredPiece[],
  vocabulary: ReadonlyMap<string, number>,
  options: { unknown: number | undefined; byteFallback: boolean },
  unspeakable: (character: string) => Error,
): WordModel {
  const scores = [...new Set(pieces.map(({ score }) => score))].sort((a, b) => b - a);
  const ranks = new Map(scores.map((score, rank) => [score, rank]));
  const known = new Map(pieces.map(({ piece, score, id }) => [piece, { id, rank: ranks.get(score)! }]));
  const plain = new Map(pieces.map(({ piece, id }) => [piece, id]));
  return (word) => {
    const ofBytes = (text: string) => byteIds(text, vocabulary);
    const begin = characters(word, plain, { ...options, fuseUnknown: true }, unspeakable, ofBytes);
    const union = (start: number, end: number) => known.get(word.slice(begin.starts[start], begin.ends[end - 1]));
    const merged = merge(
      begin.ids,
      (_left, _right, start, end) => union(start, end)?.rank,
      (_rank, start, end) => union(start, end)!.id,
    );
    return places(merged, begin);
  };
}

/** A word's characters, with which its merging begins. */
function characters(
  word: string,
  vocabulary: ReadonlyMap<string, number>,
  options: Omit<BytePairOptions, 'whole'>,
  unspeakable: (character: string) => Error,
  ofBytes = (text: string) => byteIds(text, vocabulary),
): Cuts {
  const cuts: Cuts = { ids: [], starts: [], ends: [] };
  let unknownBefore = false;
  eachCharacter(word, (character, at) => {
    const end = at + character.length;
    const id = vocabulary.get(character);
    const bytes = id === undefined && options.byteFallback ? ofBytes(character) : undefined;
    const isUnknown = id === undefined && bytes === undefined;
    if (bytes) for (const byte of bytes) put(cuts, byte, at, end);
    else if (id !== undefined) put(cuts, id, at, end);
    else if (options.unknown === undefined) throw unspeakable(character);
    else if (unknownBefore && options.fuseUnknown) cuts.ends[cuts.ends.length - 1] = end;
    else put(cuts, options.unknown, at, end);
    unknownBefore = isUnknown;
  });
  return cuts;
}

/** Merged symbols, with the places of the characters that they began as. */
function places({ ids, starts, ends }: Cuts, begin: Cuts): Cuts {
  return { ids, starts: starts.map((i) => begin.starts[i]!), ends: ends.map((i) => begin.ends[i - 1]!) };
}

/** The pieces of a text's bytes; undefined if one is missing. */
function byteIds(text: string, vocabulary: ReadonlyMap<string, number>): number[] | undefined {
  const ids: number[] = [];
  for (const byte of binaryOfText(text)) {
    const id = vocabulary.get(`<0x${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

/** A piece of a Unigram vocabulary; its score is the logarithm of its probability. */
export interface ScoredPiece {
  piece: string;
  score: number;
  id: number;
}

/** Unigram (Kudo 2018): the cut whose pieces have the largest sum of scores, by Viterbi's algorithm. Unknown characters in a row are one. */
export function unigram(
  pieces: readonly ScoredPiece[],
  vocabulary: ReadonlyMap<string, number>,
  { unknown, byteFallback }: { unknown: number | undefined; byteFallback: boolean },
  unspeakable: (character: string) => Error,
): WordModel {
  const known = new Map(pieces.map((piece) => [piece.piece, piece]));
  const longest = new Map<number, number>(); // of the pieces that begin with two units
  const beginning = (text: string, at: number) => text.charCodeAt(at) * 65536 + (text.charCodeAt(at + 1) || 0);
  let unknownScore = 0;
  for (const { piece, score } of pieces) {
    const key = beginning(piece, 0);
    longest.set(key, Math.max(longest.get(key) ?? 0, piece.length));
    unknownScore = Math.min(unknownScore, score - 10); // SentencePiece's penalty
  }
  return (word) => {
    const path = bestPath(word, (start, visit) => {
      const most = Math.min(longest.get(beginning(word, start)) ?? 1, word.length - start);
      for (let length = 1; length <= most; length++) {
        const found = known.get(word.slice(start, start + length));
        if (found) visit(start + length, found.score, found.id);
      }
      return unknownScore;
    });
    const cuts: Cuts = { ids: [], starts: [], ends: [] };
    let runs = 0; // how many units before the end belong to an unknown stretch that is not written yet
    for (let i = path.length - 1; i >= 0; i--) {
      const { start, end, id } = path[i]!;
      if (id === undefined && i > 0 && path[i - 1]!.id === undefined) {
        runs += end - start;
        continue;
      }
      const from = start - runs;
      runs = 0;
      const text = word.slice(from, end);
      const found = id ?? vocabulary.get(text); // a vocabulary may have more than the model has scores for
      const bytes = found === undefined && byteFallback ? byteIds(text, vocabulary) : undefined;
      if (found === undefined && bytes === undefined && unknown === undefined) throw unspeakable(text);
      for (const each of bytes ?? [found ?? unknown!]) put(cuts, each, from, end);
    }
    return cuts;
  };
}

interface Span {
  start: number;
  end: number;
  id: number | undefined;
}

/** The spans of the best path, last first. `each` visits what begins at a place, and returns the score of an unknown character. */
function bestPath(
  word: string,
  each: (start: number, visit: (end: number, score: number, id: number) => void) => number,
): Span[] {
  const n = word.length;
  const score = new Float64Array(n + 1);
  const startOf = new Int32Array(n + 1).fill(-1);
  const idOf: (number | undefined)[] = new Array(n + 1);
  const offer = (start: number, end: number, sum: number, id: number | undefined) => {
    if (startOf[end]! >= 0 && sum <= score[end]!) return;
    score[end] = sum;
    startOf[end] = start;
    idOf[end] = id;
  };
  eachCharacter(word, (character, start) => {
    let single = false;
    const unknownScore = each(start, (end, pieceScore, id) => {
      offer(start, end, score[start]! + pieceScore, id);
      if (end === start + character.length) single = true;
    });
    if (!single) offer(start, start + character.length, score[start]! + unknownScore, undefined);
  });
  const path: Span[] = [];
  for (let end = n; end > 0; end = startOf[end]!) path.push({ start: startOf[end]!, end, id: idOf[end] });
  return path;
}
