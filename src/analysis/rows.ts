import type { VitrineError } from '../plan/error.ts';
import type { LanguageModel } from '../run/language-model.ts';
import type { TraceOptions } from '../run/trace.ts';
import type { TracedTensor } from '../run/traced.ts';

/** What the functions here need of a model: they are made of `trace` and its edits alone. */
export type Traceable = Pick<LanguageModel, 'trace' | 'config'>;

/** Values of one position of a tensor [positions, ...]. */
export function rowOf({ data, shape }: TracedTensor, position: number): Float32Array {
  const length = shape[0]!;
  const width = data.length / length;
  const at = position < 0 ? length + position : position;
  return data.subarray(at * width, (at + 1) * width);
}

/** Logits are the larger part of a run of final residuals: so many at once, if the text has no more. */
const FEW = 64;

/**
 * The logits [vocabSize] of each of some final residuals. A position's logits depend on its own residual only, so one run
 * takes many; edits give all that precedes it, which therefore is not made.
 */
export async function throughHead(
  model: Traceable,
  ids: readonly number[],
  residuals: readonly Float32Array[],
  { edits = [], ...options }: Pick<TraceOptions, 'edits' | 'signal'>,
  onLogits: (i: number, logits: Float32Array) => void,
): Promise<void> {
  const { nLayer, nEmbd } = model.config;
  await inRows(model, ids, residuals.length, async (first, some) => {
    const set = new Float32Array(some.length * nEmbd);
    for (const i of some.keys()) set.set(residuals[first + i]!, i * nEmbd);
    const last = { name: `blocks.${nLayer - 1}.hook_resid_post`, set };
    const { logits } = await model.trace(some, { edits: [last, ...edits], ...options });
    for (const i of some.keys()) onLogits(first + i, rowOf(logits, i));
  });
}

/** Runs so many rows as texts made of a text's ids, each as long as may be: where the context is shorter than that, as the text is. */
export async function inRows(
  { config }: Traceable,
  ids: readonly number[],
  count: number,
  run: (first: number, ids: number[]) => Promise<void>,
): Promise<void> {
  let most = Math.max(ids.length, Math.min(FEW, config.nCtx));
  for (let first = 0; first < count; ) {
    const length = Math.min(most, count - first);
    try {
      const text = Array.from({ length }, (_, i) => ids[i % ids.length]!);
      await run(first, text);
      first += length;
    } catch (error) {
      if ((error as Partial<VitrineError>).code !== 'context-full' || most === ids.length) throw error;
      most = ids.length;
    }
  }
}
