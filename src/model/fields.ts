import { badCheckpoint, unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import type { Activation } from '../plan/plan.ts';
import { show } from '../plan/show.ts';

/** Largest values that are taken for sizes of a model, far above any real one: beyond them a file is damaged. */
const most = { width: 1 << 20, count: 1 << 12, positions: 1 << 24, vocabulary: 1 << 24 };

/** What a head of classes was trained for: what its scores are made of logits by. */
export const problemTypes = ['regression', 'single_label_classification', 'multi_label_classification'] as const;
export type ProblemType = (typeof problemTypes)[number];

const activations = new Map<unknown, Activation>([
  ['gelu_new', 'gelu_new'],
  ['gelu_pytorch_tanh', 'gelu_new'], // the same formula
  ['gelu_fast', 'gelu_new'], // likewise
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['relu', 'relu'],
  ['silu', 'silu'],
  ['swish', 'silu'], // the same function
]);

/**
 * The fields of a config file, read one by one: each method names the field, what it may be, and what an absent one means.
 * Null is how Python writes "not set". Methods throw `bad-checkpoint` for what is missing or ill-typed, and
 * `unsupported-checkpoint` for what the engine does not follow.
 */
export class Fields {
  readonly #fields: Map<string, unknown>;
  readonly #file: string;
  readonly #named: (field: string) => string;

  /** @param named what the file calls a field, for messages */
  constructor(json: unknown, file: string, named: (field: string) => string = (field) => field, of = 'a model') {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw badCheckpoint(`${file} holds ${show(json)}; expected an object with the fields of ${of}.`);
    }
    this.#fields = new Map(Object.entries(json));
    this.#file = file;
    this.#named = named;
  }

  /** Whether the field stands there as null. */
  isNull(name: string): boolean {
    return this.#fields.get(name) === null;
  }

  get(name: string): unknown {
    return this.#fields.get(name) ?? undefined;
  }

  named(name: string): string {
    return this.#named(name);
  }

  bad(name: string, expected: string): VitrineError {
    return badCheckpoint(`${this.#found(name)}; expected ${expected}.`);
  }

  unsupported(name: string, expected: string, hint?: string): VitrineError {
    return unsupportedCheckpoint(`${this.#found(name)}; expected ${expected}.`, hint);
  }

  #found(name: string): string {
    return `${this.#named(name)} in ${this.#file} is ${show(this.#fields.get(name))}`;
  }

  /** Major version of the transformers that wrote the file; 0 where it is silent. */
  writtenBy(): number {
    return Number.parseInt(String(this.get('transformers_version')), 10) || 0;
  }

  /** A size of the model; `absent` where the field may be missing. */
  size(name: string, kind: keyof typeof most, absent?: number): number {
    return this.integer(name, 1, most[kind], absent);
  }

  integer(name: string, least: number, limit: number, absent?: number): number {
    const value = this.get(name) ?? absent;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > limit) {
      throw this.bad(name, `an integer from ${least} to ${limit}`);
    }
    return value as number;
  }

  flag(name: string, absent: boolean): boolean {
    const value = this.get(name) ?? absent;
    if (typeof value !== 'boolean') throw this.bad(name, 'true or false');
    return value;
  }

  /** Width of the model and how many heads share it. */
  heads(width: string, heads: string, absent: { nEmbd?: number; nHead?: number } = {}) {
    const nEmbd = this.size(width, 'width', absent.nEmbd);
    const nHead = this.size(heads, 'count', absent.nHead);
    if (nEmbd % nHead !== 0) throw this.bad(width, `a multiple of ${this.named(heads)}, which is ${nHead}`);
    return { nEmbd, nHead, headDim: nEmbd / nHead };
  }

  /** The ids that begin and end texts; `absent`: those of the config's class. */
  ends(vocabSize: number, absent: { bos: readonly number[]; eos: readonly number[] }) {
    return {
      bosTokenId: this.tokenIds('bos_token_id', absent.bos, vocabSize)[0] ?? null,
      eosTokenIds: this.tokenIds('eos_token_id', absent.eos, vocabSize),
    };
  }

  /** One of several words, or undefined for a missing field. */
  oneOf<T extends string>(name: string, words: readonly T[]): T | undefined {
    const value = this.get(name);
    if (value === undefined || words.includes(value as T)) return value as T | undefined;
    throw this.unsupported(name, words.join(', '));
  }

  /** A number above 0 and below 1, as an epsilon is. */
  fraction(name: string, absent: number): number {
    const value = this.get(name) ?? absent;
    if (typeof value !== 'number' || !(value > 0 && value < 1)) throw this.bad(name, 'a number between 0 and 1');
    return value;
  }

  /** A finite number of these limits, both of which are among them; above 0 is from the least number that is. */
  number(name: string, least: number, limit: number, absent?: number): number {
    const value = this.get(name) ?? absent;
    if (typeof value !== 'number' || !(value >= least && value <= limit)) {
      const low = least < 0 ? '' : least > 0 ? ' above 0' : ' from 0';
      const high = limit === Number.MAX_VALUE ? '' : ` up to ${limit}`;
      throw this.bad(name, `a number${low}${high}`);
    }
    return value;
  }

  /** Lists of token ids, none empty; those with an id at or above the vocabulary can never occur and are left out. */
  idLists(name: string, vocabSize: number): number[][] {
    const lists = this.get(name);
    const isList = (list: unknown) =>
      Array.isArray(list) && list.length > 0 && list.every((id) => Number.isInteger(id) && id >= 0);
    if (!Array.isArray(lists) || !lists.every(isList)) throw this.bad(name, 'a list of lists of token ids');
    return (lists as number[][]).filter((list) => list.every((id) => id < vocabSize));
  }

  /** Token ids: none for null, `absent` for a missing field. Ids at or above the vocabulary can never occur and are left out. */
  tokenIds(name: string, absent: readonly number[], vocabSize: number): number[] {
    if (this.isNull(name)) return [];
    const ids = [this.get(name) ?? absent].flat() as unknown[];
    if (!ids.every((id): id is number => Number.isInteger(id) && (id as number) >= 0)) {
      throw this.bad(name, 'a token id, a list of them, or null');
    }
    return ids.filter((id) => id < vocabSize);
  }

  /** The id that fills texts up; the first files of Llama have -1 for none. */
  padId(vocabSize: number): number | undefined {
    return this.get('pad_token_id') === -1 ? undefined : this.tokenIds('pad_token_id', [], vocabSize)[0];
  }

  /** @param value what the field says, where that is not all of it */
  activation(name: string, absent: string, value = this.get(name)): Activation {
    const found = activations.get(value ?? absent);
    if (!found) throw this.unsupported(name, [...activations.keys()].join(', '));
    return found;
  }

  /** Settings that change the computation in a way this engine does not follow, with the one value of each that does not. */
  fixed(settings: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(settings)) {
      const found = this.#fields.get(name);
      if (found !== undefined && found !== null && found !== value) throw this.unsupported(name, show(value));
    }
    const pruned = this.get('pruned_heads');
    if (pruned !== undefined && Object.keys(pruned as object).length > 0)
      throw this.unsupported('pruned_heads', 'none');
  }

  /** As `fixed`, with what holds for all but those that say otherwise: one stack, with weights that are numbers. */
  plain(settings: Readonly<Record<string, unknown>> = {}): void {
    this.fixed({ is_encoder_decoder: false, add_cross_attention: false, quantization_config: null, ...settings });
  }

  /** Names of the classes that a head tells apart: those of `id2label`, else `LABEL_0` and so on, two by default. */
  labels(): string[] {
    const named = this.get('id2label');
    if (named === undefined) {
      return Array.from({ length: this.integer('num_labels', 1, most.width, 2) }, (_, i) => `LABEL_${i}`);
    }
    const labels = Object.entries(named as object);
    const sorted = labels.map((_, i) => (named as Record<string, unknown>)[i]);
    if (typeof named !== 'object' || !sorted.every((label) => typeof label === 'string')) {
      throw this.bad('id2label', 'an object of the numbers from 0 with their names');
    }
    return sorted as string[];
  }

  /** What is put before texts, and what holds for a task alone; these are read by who does the task. */
  tasks(): { prefix: string; taskParams: Readonly<Record<string, unknown>> } {
    const [prefix, params] = [this.get('prefix'), this.get('task_specific_params')];
    const taskParams = typeof params === 'object' ? (params as Record<string, unknown>) : {};
    return { prefix: typeof prefix === 'string' ? prefix : '', taskParams };
  }

  /** The classes of transformers that the checkpoint was saved from. */
  architectures(): string[] {
    const listed = this.get('architectures');
    return Array.isArray(listed) ? listed.filter((name) => typeof name === 'string') : [];
  }

  onlyClasses(known: RegExp, expected: string): void {
    if (!this.architectures().every((name) => known.test(name))) throw this.unsupported('architectures', expected);
  }
}
