import type { Activation, Plan } from '../plan/plan.ts';
import type { Fields } from './fields.ts';
import type { GenerationConfig } from './generation.ts';

/** What a model takes and gives; each has a loader of its own. */
export type Kind = 'decoder' | 'encoder' | 'encoder-decoder' | 'vision';

/** What a model was trained to answer, by what its last layer gives. */
export type Head = 'next-words' | 'masked-words' | 'next-sentence' | 'classes' | 'token-classes' | 'answers';

/** What every family's config says. */
export interface BaseConfig {
  nLayer: number;
  nHead: number;
  nEmbd: number;
  /** The longest text. */
  nCtx: number;
  vocabSize: number;
}

/** What the config of every text decoder says. */
export interface DecoderConfig extends BaseConfig {
  /** Width of the MLP's hidden layer. */
  nInner: number;
  activation: Activation;
  /** The output layer is the token embedding. */
  tieWordEmbeddings: boolean;
  /** The id that an empty prompt stands for. */
  bosTokenId: number | null;
  /** Ids that end a text; empty for none. */
  eosTokenIds: number[];
  /** What generation_config.json says, where there is one. */
  generation?: GenerationConfig;
}

/** What the config of every encoder-decoder says. `nLayer` and `nHead` are the encoder's. */
export interface EncoderDecoderConfig extends BaseConfig {
  modelType: string;
  nDecoderLayer: number;
  nDecoderHead: number;
  /** Words that a source may have; `vocabSize` is what the decoder chooses from. */
  sourceVocabSize: number;
  /** Positions are relative: a text may be longer than `nCtx`. */
  isRelative: boolean;
  /** What config.json says of generation. */
  generation: GenerationConfig;
  /** What is put before every text, and what is said of single tasks: `task_specific_params`. */
  prefix: string;
  taskParams: Readonly<Record<string, unknown>>;
}

/** Tensors that a checkpoint holds, by the plan's names. */
export type Holds = (name: string) => boolean;

/**
 * A family of models: how its config.json is read, what its plan is, and what its files call the plan's weights. `load` and
 * `run` take one and know no model's names.
 */
export interface Family<Config extends BaseConfig = BaseConfig> {
  /** `model_type` in config.json. */
  modelTypes: readonly string[];
  kind: Kind;
  /** In words, for messages. */
  title: string;
  /** @throws VitrineError as the methods of `Fields` do */
  config(fields: Fields, holds: Holds): Config;
  /** `next-words` alone if absent. */
  heads?(config: Config): Head[];
  /** @param context the most positions of a text, where they are fewer than the model has: what is computed for each is made for these */
  plan(config: Config, context?: number): Plan;
  /** The numbers by which positions are looked up; 0, 1, 2, ... if absent. */
  positions?(ids: readonly number[], config: Config): number[];
  /** The plan's name of a tensor of a safetensors file; undefined if it takes no part in any computation. */
  nameOf(name: string): string | undefined;
  /** The plan's names of what no file of the family may hold without the plan using it: without it something else would be computed. */
  body: RegExp;
  /** Names under which a file may have one tensor; the first is the plan's. */
  ties(config: Config): readonly (readonly string[])[];
  /** Field of the number of layers, for messages; `num_hidden_layers` if absent. */
  layerField?(config: Config): string;
}

/** What a model of a family answers. */
export const headsOf = <Config extends BaseConfig>(family: Family<Config>, config: Config): Head[] =>
  family.heads?.(config) ?? ['next-words'];
