import { signal } from '@preact/signals';
import type { Edit } from '../../index.ts';

/** What the visitor changes inside the model; each becomes an edit of one tensor. */
export type Touch =
  /** A head's output times `factor`; 0 knocks it out. */
  | { kind: 'head'; layer: number; head: number; factor: number }
  | { kind: 'mlp'; layer: number; factor: number }
  /** Row `position` of a head's attention: shares of the tokens 0 to `position`, which sum to 1. */
  | { kind: 'attention'; layer: number; head: number; position: number; row: Float32Array }
  /** One position of a tensor as it was in another text; `head` for a tensor that has heads. */
  | { kind: 'patch'; name: string; head?: number; position: number; values: Float32Array; from: string };

export const touches = signal<readonly Touch[]>([]);

/** The place a touch is at: a second touch there takes the place of the first. */
export function placeOf(touch: Touch): string {
  switch (touch.kind) {
    case 'head':
      return `blocks.${touch.layer}.attn.hook_z head ${touch.head}`;
    case 'mlp':
      return `blocks.${touch.layer}.hook_mlp_out`;
    case 'attention':
      return `blocks.${touch.layer}.attn.hook_pattern head ${touch.head} position ${touch.position}`;
    case 'patch':
      return `${touch.name}${touch.head === undefined ? '' : ` head ${touch.head}`} position ${touch.position}`;
    default:
      return touch satisfies never;
  }
}

export function touch(one: Touch): void {
  const place = placeOf(one);
  const others = touches.value.filter((other) => other.kind !== one.kind || placeOf(other) !== place);
  const isNothing = 'factor' in one && one.factor === 1;
  touches.value = isNothing ? others : [...others, one];
}

export function untouch(one: Touch): void {
  touches.value = touches.value.filter((other) => other !== one);
}

/** The edits for a text of `length` tokens; touches of positions that it does not have wait until it has. */
export function editsOf(all: readonly Touch[], length: number): Edit[] {
  return all.flatMap((one): Edit[] => {
    switch (one.kind) {
      case 'head':
        return [{ name: `blocks.${one.layer}.attn.hook_z`, head: one.head, scale: one.factor }];
      case 'mlp':
        return [{ name: `blocks.${one.layer}.hook_mlp_out`, scale: one.factor }];
      case 'attention': {
        if (one.position >= length) return [];
        const set = new Float32Array(length);
        set.set(one.row);
        return [{ name: `blocks.${one.layer}.attn.hook_pattern`, head: one.head, position: one.position, set }];
      }
      case 'patch':
        if (one.position >= length) return [];
        return [{ name: one.name, head: one.head, position: one.position, set: one.values }];
      default:
        return one satisfies never;
    }
  });
}

/** The row with `key`'s share set to `share`, and the others sharing the rest as they did before. */
export function withShare(row: Float32Array, key: number, share: number): Float32Array {
  const rest = 1 - row[key]!;
  return row.map((value, i) => {
    if (i === key) return row.length === 1 ? 1 : share;
    return rest > 0 ? (value / rest) * (1 - share) : (1 - share) / (row.length - 1);
  });
}
