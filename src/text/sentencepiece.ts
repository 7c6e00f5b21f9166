import { show } from '../plan/show.ts';
import { bad, refuse } from './json.ts';

/** What a piece of a SentencePiece model is. */
export const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A SentencePiece model (sentencepiece_model.proto), as far as it takes part in cutting a text. */
export interface SentencePieces {
  /** By id. */
  pieces: { piece: string; score: number; kind: number }[];
  type: 'unigram' | 'bpe';
  byteFallback: boolean;
  /** The table of replacements; empty for none. */
  charsmap: Uint8Array;
  /** A space is put before a text. */
  addsPrefix: boolean;
  /** Spaces at the ends go, and of several in a row all but one. */
  removesSpaces: boolean;
}

type Field = { number: number; value: number; bytes: Uint8Array };

/** @throws VitrineError `bad-checkpoint` for a file that is none, `unsupported-checkpoint` for a model of words or characters */
export function readSentencePieces(bytes: Uint8Array, file: string): SentencePieces {
  const model: SentencePieces = {
    pieces: [],
    type: 'unigram',
    byteFallback: false,
    charsmap: new Uint8Array(),
    addsPrefix: true,
    removesSpaces: true,
  };
  for (const { number, bytes: message } of fields(bytes, file)) {
    if (number === 1) model.pieces.push(readPiece(message, `${file}: piece ${model.pieces.length}`));
    else if (number === 2) readTrainer(model, message, `${file}: trainer_spec`);
    else if (number === 3) readNormalizer(model, message, `${file}: normalizer_spec`);
  }
  const seen = new Set<string>();
  for (const [id, { piece }] of model.pieces.entries()) {
    if (seen.has(piece)) throw bad(`${file}: piece ${id} is ${show(piece)}, which another is already.`);
    seen.add(piece);
  }
  const unknowns = model.pieces.filter(({ kind }) => kind === kinds.unknown).length;
  if (unknowns !== 1)
    throw bad(`${file} has ${model.pieces.length} pieces, of which ${unknowns} stand for the unknown; expected one.`);
  return model;
}

function readPiece(message: Uint8Array, where: string): SentencePieces['pieces'][number] {
  let [piece, score, kind]: [string, number, number] = ['', 0, kinds.normal];
  for (const { number, value, bytes } of fields(message, where)) {
    if (number === 1) piece = textOf(bytes, where);
    else if (number === 2 && bytes.length === 4)
      score = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getFloat32(0, true);
    else if (number === 3) kind = value;
  }
  if (piece === '') throw bad(`${where} is empty.`);
  if (!Number.isFinite(score)) throw bad(`${where}, ${show(piece)}, has the score ${score}, expected a number.`);
  if (!(kind >= 1 && kind <= 6)) throw bad(`${where}, ${show(piece)}, is of kind ${kind}, expected 1 to 6.`);
  return { piece, score, kind };
}

function readTrainer(model: SentencePieces, message: Uint8Array, where: string): void {
  for (const { number, value } of fields(message, where)) {
    if (number === 3) {
      if (value !== 1 && value !== 2) throw refuse(`${where}.model_type`, value, '1 (Unigram) or 2 (BPE)');
      model.type = value === 1 ? 'unigram' : 'bpe';
    } else if (number === 24 && value !== 0) throw refuse(`${where}.treat_whitespace_as_suffix`, true, 'false');
    else if (number === 35) model.byteFallback = value !== 0;
  }
}

function readNormalizer(model: SentencePieces, message: Uint8Array, where: string): void {
  for (const { number, value, bytes } of fields(message, where)) {
    if (number === 2) model.charsmap = bytes;
    else if (number === 3) model.addsPrefix = value !== 0;
    else if (number === 4) model.removesSpaces = value !== 0;
    else if (number === 5 && value === 0) throw refuse(`${where}.escape_whitespaces`, false, 'true');
  }
}

function textOf(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw bad(`${where} is not UTF-8 text.`);
  }
}

/** The fields of a message of Protocol Buffers: a whole number, or bytes, which stay in place. */
function* fields(message: Uint8Array, where: string): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw bad(`${where} ends within a number, at byte ${message.length}.`);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw bad(`${where} has a number of more than 10 bytes, at byte ${at}.`);
  };
  while (at < message.length) {
    const begins = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) {
      yield { number, value: varint(), bytes: message.subarray(at, at) };
      continue;
    }
    const length = { 1: 8, 2: -1, 5: 4 }[wire];
    if (number === 0 || length === undefined)
      throw bad(`${where} is no SentencePiece model: byte ${begins} begins no field.`);
    const size = length < 0 ? varint() : length;
    if (size > message.length - at) {
      throw bad(`${where} ends at byte ${message.length}, within a field of ${size} bytes that begins at byte ${at}.`);
    }
    yield { number, value: 0, bytes: message.subarray(at, at + size) };
    at += size;
  }
}
