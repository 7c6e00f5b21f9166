import { badOption } from '../plan/error.ts';
import { checkOptions, integer, isSignal, quote } from '../run/check.ts';
import type { LanguageModel } from '../run/language-model.ts';
import type { TracedTensor } from '../run/traced.ts';

/** What the functions here need of a model. */
export type Weighted = Pick<LanguageModel, 'weight' | 'weights'>;

export interface Neighbour {
  row: number;
  /** Of the angle between the two rows: 1 for the same direction, 0 for none in common. */
  cosine: number;
}

/** Bytes of rows read at a time: the word table of GPT-2 XL is 320 MB. */
const bytesAtOnce = 2 ** 24;
/** Of rows compared each with each: their cosines are 64 MB. */
const mostCompared = 4096;

/**
 * The rows of a weight that are nearest to one of them by cosine, as the device holds them: of 'wte.weight', the tokens
 * whose embeddings point where a token's does. The row itself is not among them.
 * @throws VitrineError `bad-option` for a weight or row that is not there
 */
export async function nearestRows(
  model: Weighted,
  name: string,
  row: number,
  options: { count?: number; signal?: AbortSignal } = {},
): Promise<Neighbour[]> {
  checkOptions('nearestRows', options, { count: integer(1), signal: isSignal });
  const { count = 10, signal } = options;
  const own = await model.weight(name, { rows: [row], signal });
  const [, columns = 0] = own.shape;
  const rows = rowsOf(model, name);
  const atOnce = Math.max(1, Math.floor(bytesAtOnce / (4 * columns)));
  const length = Math.sqrt(dot(own.data, 0, own.data, 0, columns));
  let best: Neighbour[] = [];
  for (let first = 0; first < rows; first += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, rows - first) }, (_, i) => first + i);
    const { data } = await model.weight(name, { rows: some, signal });
    for (const [i, other] of some.entries()) {
      if (other === row) continue;
      const product = dot(data, i * columns, own.data, 0, columns);
      const size = length * Math.sqrt(dot(data, i * columns, data, i * columns, columns));
      const cosine = size > 0 ? product / size : 0;
      if (best.length < count || cosine > best.at(-1)!.cosine) best = placed(best, { row: other, cosine }, count);
    }
  }
  return best;
}

/** The tokens whose embeddings are nearest to a token's, best first. */
export async function nearestTokens(
  model: Weighted & Pick<LanguageModel, 'tokenizer'>,
  token: number,
  count: number,
  { signal }: { signal?: AbortSignal } = {},
): Promise<{ id: number; text: string; cosine: number }[]> {
  // A plan begins with the words' embeddings, whatever its family calls them.
  const rows = await nearestRows(model, model.weights()[0]!.name, token, { count, signal });
  const named = rows.map(async ({ row: id, cosine }) => ({ id, text: await model.tokenizer.token(id), cosine }));
  return Promise.all(named);
}

/**
 * Cosines between all rows of a weight, as the device holds them: of 'wpe.weight', how alike the positions are.
 * @returns data [rows, rows]
 * @throws VitrineError `bad-option` for a weight that is not there, or has too many rows to compare each with each
 */
export async function rowSimilarities(
  model: Weighted,
  name: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<TracedTensor> {
  const rows = rowsOf(model, name);
  if (rows > mostCompared) {
    throw badOption(`${name} has ${rows} rows; at most ${mostCompared} are compared with each other.`);
  }
  const { data, shape } = await model.weight(name, { signal });
  const [, columns = 0] = shape;
  const lengths = Array.from({ length: rows }, (_, r) => Math.sqrt(dot(data, r * columns, data, r * columns, columns)));
  const cosines = new Float32Array(rows * rows);
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b <= a; b++) {
      const size = lengths[a]! * lengths[b]!;
      const cosine = size > 0 ? dot(data, a * columns, data, b * columns, columns) / size : 0;
      cosines[a * rows + b] = cosine;
      cosines[b * rows + a] = cosine;
    }
  }
  return { data: cosines, shape: [rows, rows] };
}

function rowsOf(model: Weighted, name: string): number {
  const rows = model.weights().find((weight) => weight.name === name)?.shape[0];
  if (rows !== undefined) return rows;
  throw badOption(`The model has no weight ${quote(name)}.`, 'model.weights() lists every name with its shape.');
}

function dot(a: Float32Array, atA: number, b: Float32Array, atB: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[atA + i]! * b[atB + i]!;
  return sum;
}

/** The list, largest cosine first and the lower row first among equals, with one more in its place. */
function placed(best: readonly Neighbour[], one: Neighbour, count: number): Neighbour[] {
  const at = best.findIndex(({ cosine }) => cosine < one.cosine);
  return best.toSpliced(at < 0 ? best.length : at, 0, one).slice(0, count);
}
