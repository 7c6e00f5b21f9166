import type { Reading } from '../../reading.ts';

/** How a token's part is measured. */
export type Way = 'gradient' | 'integrated';

/** What each token up to a place did for the logit of a word. */
export interface Moves {
  id: number;
  way: Way;
  /** The tokens' own texts. */
  texts: readonly string[];
  /** One for each token. */
  values: Float32Array;
  logit: number;
}

/** Points on the way from nothing to the whole embedding. */
export const steps = 16;

/** What tokens are looked up as. */
const embed = 'hook_embed';

export async function movesOf(
  { model, ids, texts, edits }: Reading,
  position: number,
  id: number,
  way: Way,
  signal: AbortSignal,
): Promise<Moves> {
  const { gradients, integratedGradients } = await import('../../../../learn/index.ts');
  // What comes later has no part in it; positions of edits count the whole text.
  const read = edits.length > 0 ? ids : ids.slice(0, position + 1);
  const loss = { logit: id, position };
  const found = await gradients(model, read, { loss, wrt: [embed], edits, signal });
  const own = { id, way, texts: texts.slice(0, position + 1), logit: found.loss };
  if (way === 'integrated') {
    const { data } = await integratedGradients(model, read, { loss, steps, signal });
    return { ...own, values: data };
  }
  const gradient = found.get(embed);
  const input = (await model.trace(read, { capture: [embed], edits, signal })).get(embed)!;
  const width = gradient.shape[1]!;
  const values = Float32Array.from({ length: position + 1 }, (_, row) => {
    let sum = 0;
    for (let i = row * width; i < (row + 1) * width; i++) sum += gradient.data[i]! * input.data[i]!;
    return sum;
  });
  return { ...own, values };
}
