import type { BaseConfig, Family } from '../model/family.ts';
import type { WeightSpec } from '../plan/plan.ts';
import type { TokenizerFiles } from './checkpoint.ts';
import { floatTypes, type ValueType } from './values.ts';

/** What a kind of checkpoint calls things, and how it stores them. */
export interface TensorLayout {
  /** Where the config stands, and its number of layers, for messages. */
  config: string;
  layerCount: string;
  types: ReadonlyMap<string, ValueType>;
  /** Whether Conv1D layers lie as [in, out]. */
  transposes: boolean;
  /** The plan's name of a tensor of the file; undefined if it takes no part. */
  planName(name: string): string | undefined;
  /** What the plan must use, by its names. */
  body: RegExp;
  /** The row that row i of a part of a weight is in its tensor, where they are in another order there; of a vector its values. */
  orderOf(weight: WeightSpec, part: string): ((i: number) => number) | undefined;
  /** The file's name of a weight of the plan. */
  fileName(name: string): string;
  /** The tokenizer, where it is not in files of its own. */
  tokenizer?: TokenizerFiles;
}

export const safetensorsLayout = (family: Family, config: BaseConfig): TensorLayout => ({
  config: 'config.json',
  layerCount: `${family.layerField?.(config) ?? 'num_hidden_layers'} in config.json`,
  types: floatTypes,
  transposes: true,
  planName: (name) => family.nameOf(name),
  body: family.body,
  orderOf: ({ order }) => order,
  fileName: (name) => name,
});
