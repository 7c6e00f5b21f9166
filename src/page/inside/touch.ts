import { signal } from '@preact/signals';
import type { WorkerModel } from '../../embed/client.ts';
import type { Edit } from '../../index.ts';

/** What the visitor changes inside the model; each becomes an edit of one tensor. */
export type Touch =
  /** A head's output times `factor`; 0 knocks it out. */
  | { kind: 'head'; layer: number; head: number; factor: number }
  | { kind: 'mlp'; layer: number; factor: number }
  /** Row `position` of a head's attention: shares of the tokens 0 to `position`, which sum to 1; and `before`. */
  | { kind: 'attention'; layer: number; head: number; position: number; row: Float32Array; before: Float32Array }
  /** One position of a tensor as it was in another text; `head` for a tensor that has heads. */
  | {
      kind: 'patch';
      layer: number;
      name: string;
      head?: number;
      position: number;
      /** Of `model` alone: another of the same width means other things by the same numbers. */
      values: Float32Array;
      model: WorkerModel;
      from: string;
    };

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

/** The visitor's own touches while a lesson makes its own. */
export const aside = signal<readonly Touch[] | undefined>(undefined);

/** Leaves the model untouched for a lesson's experiment. */
export function setAside(): void {
  aside.value ??= touches.value;
  touches.value = [];
}

/** Gives back what was set aside; what the lesson touched meanwhile goes with it. */
export function giveBack(): void {
  if (aside.value) touches.value = aside.value;
  aside.value = undefined;
}

export function untouch(one: Touch): void {
  touches.value = touches.value.filter((other) => other !== one);
}

/** The edits for a text of `length` tokens; touches of a place that it or the model does not have wait until there is one. */
export function editsOf(all: readonly Touch[], model: WorkerModel, length: number): Edit[] {
  return all.filter((one) => fits(one, model, length)).map((one) => editOf(one, length));
}

function fits(one: Touch, model: WorkerModel, length: number): boolean {
  const { nLayer, nHead } = model.config;
  if (one.layer >= nLayer) return false;
  if ('head' in one && (one.head ?? 0) >= nHead) return false;
  if ('position' in one && one.position >= length) return false;
  return one.kind !== 'patch' || one.model === model;
}

function editOf(one: Touch, length: number): Edit {
  switch (one.kind) {
    case 'head':
      return { name: `blocks.${one.layer}.attn.hook_z`, head: one.head, scale: one.factor };
    case 'mlp':
      return { name: `blocks.${one.layer}.hook_mlp_out`, scale: one.factor };
    case 'attention': {
      const set = new Float32Array(length);
      set.set(one.row);
      return { name: `blocks.${one.layer}.attn.hook_pattern`, head: one.head, position: one.position, set };
    }
    case 'patch':
      return { name: one.name, head: one.head, position: one.position, set: one.values };
    default:
      return one satisfies never;
  }
}

/**
 * The row with `key`'s share set to `share`, and the others sharing the rest as they do in it; as they did `before`
 * where they have nothing.
 */
export function withShare(row: Float32Array, key: number, share: number, before: Float32Array): Float32Array {
  if (row.length === 1) return row;
  const others = (of: Float32Array) => of.reduce((sum, value, i) => (i === key ? sum : sum + value), 0);
  const like = [row, before].find((of) => others(of) > 0) ?? row.map(() => 1);
  const scale = (1 - share) / others(like);
  return like.map((value, i) => (i === key ? share : value * scale));
}
