import type { EncoderConfig } from '../model/bert.ts';
import { bert } from '../model/bert.ts';
import { withEdits } from '../plan/edit.ts';
import { VitrineError } from '../plan/error.ts';
import { checkOptions, integer, isList, isSignal, quote } from './check.ts';
import { EncoderRuns, type EncoderText, traceText } from './encode.ts';
import type { Engine } from './engine.ts';
import { Loaded, type Tensor } from './loaded.ts';
import type { Chosen } from './loading.ts';
import { editsCheck } from './options.ts';
import { captures, select, type TraceOptions } from './trace.ts';
import { Trace } from './traced.ts';

/** A text by its token ids, as a tokenizer's `inputs` gives them. */
export interface EncoderIds {
  ids: ArrayLike<number>;
  /** Which of two texts each id is of; 0 if absent. */
  types?: ArrayLike<number>;
  /** 0 for ids that the model does not see. */
  mask?: ArrayLike<number>;
}

export type EncoderInput = string | { text: string; pair?: string } | EncoderIds;

export interface RunOptions {
  signal?: AbortSignal;
}

/** What an encoder makes of texts, an entry for each. Rows that a mask drops are 0. */
export interface EncoderResult {
  /** [n, nEmbd] after the last block. */
  hidden: Tensor[];
  /** [nEmbd] of the pooler, where there is one. */
  pooled?: Tensor[];
  /** [n, vocabSize] of masked words, [labels] of a text's class, [n, labels] of tokens, [n, 2] of answers (start, end). */
  logits?: Tensor[];
  /** [2] of the next sentence's head. */
  nsp?: Tensor[];
}

/** A loaded encoder: BERT and its kin. */
export class Encoder extends Loaded<EncoderConfig> {
  readonly #runs: EncoderRuns;
  readonly #hidden: string;

  /** @internal `loadEncoder` makes encoders. */
  constructor(config: EncoderConfig, engine: Engine, chosen: Chosen) {
    super(config, engine, chosen);
    this.#runs = new EncoderRuns(engine);
    this.#hidden = engine.plan.aliases.get('hidden')!;
  }

  /**
   * Hidden states and what the head gives of each text.
   * @throws VitrineError `bad-option`, `context-full`, `device-lost`, `disposed`; the signal's reason when it aborts
   */
  async run(inputs: readonly EncoderInput[], options: RunOptions = {}): Promise<EncoderResult> {
    this.engine.alive();
    checkOptions('run', options, { signal: isSignal });
    const texts = inputs.map((input, i) => this.#textOf(input, i));
    const { head, nEmbd, pools } = this.config;
    const isWhole = this.#isWhole;
    const extra = [
      ...(pools && head !== 'classes' ? ['pooler.hook_pooler_out'] : []),
      ...(pools && head === 'masked-words' ? ['nsp'] : []),
    ];
    const logitRows =
      head === undefined && !pools ? undefined : (text: EncoderText) => (isWhole ? [0] : [...text.rows.keys()]);
    const wanted = { capture: [this.#hidden, ...extra], ...(logitRows && { logitRows }) };
    const encoded = await this.#runs.run(texts, wanted, options.signal);
    const spread = (i: number, values: Float32Array) => rowsOf(texts[i]!, values);
    const first = (name: string, width: number) =>
      encoded.map(({ captured }) => ({ data: captured.get(name)!.slice(0, width), shape: [width] }));
    return this.proved({
      hidden: encoded.map(({ captured }, i) => spread(i, captured.get(this.#hidden)!)),
      ...(extra.length > 0 && { pooled: first('pooler.hook_pooler_out', nEmbd) }),
      ...(head && {
        logits: encoded.map(({ logits }, i) =>
          isWhole ? { data: logits, shape: [logits.length] } : spread(i, logits),
        ),
      }),
      ...(extra.includes('nsp') && { nsp: first('nsp', 2) }),
    });
  }

  /**
   * The intermediate tensors of one run over one input (or a list of that one), optionally edited on the way. What a mask
   * drops is 0.
   */
  async trace(input: EncoderInput | readonly [EncoderInput], options: TraceOptions = {}): Promise<Trace> {
    this.engine.alive();
    const { capture = [], edits = [], signal } = options;
    checkOptions('trace', options, { capture: captures, edits: editsCheck, signal: isSignal });
    const [one, ...more] = Array.isArray(input) ? (input as EncoderInput[]) : [input as EncoderInput];
    if (one === undefined || more.length > 0) {
      throw new VitrineError('bad-option', `trace got ${more.length + 1} inputs; expected one.`);
    }
    const text = this.#textOf(one, 0);
    if (edits.length > 0 && text.rows.length < text.length) {
      throw new VitrineError('bad-option', 'edits and a mask that drops ids were given; expected one of them.');
    }
    const { plan } = this.engine;
    const names = select(plan, capture);
    const tensorOf = (name: string) => plan.aliases.get(name) ?? name;
    const edited = edits.length > 0 ? withEdits(plan, edits, text.length) : plan;
    const logitRows = this.#isWhole ? [0] : [...text.rows.keys()];
    const found = await traceText(this.engine, edited, text, new Set(names.map(tensorOf)), logitRows, signal);
    const whole = (name: string): Tensor => {
      const data = found.get(name)!;
      const { shape } = plan.tensors.get(name)!;
      if (shape[0] === 'logitRows') return { data, shape: [logitRows.length, ...(shape.slice(1) as number[])] };
      if (shape[0] === 'rows')
        return { data: rowsOf(text, data).data, shape: [text.length, ...(shape.slice(1) as number[])] };
      return patternOf(text, data, shape[0] as number);
    };
    const logits = this.config.head ? whole('logits') : { data: new Float32Array(0), shape: [0, 0] };
    const ids = Array.from((one as EncoderIds).ids);
    return this.proved(
      new Trace(
        ids,
        logits,
        names.map((name) => [name, whole(tensorOf(name))]),
      ),
    );
  }

  /** The head gives one answer for a whole text, by its first row. */
  get #isWhole(): boolean {
    return this.config.head === 'classes' || this.config.head === undefined;
  }

  #textOf(input: EncoderInput, index: number): EncoderText {
    const bad = (found: string, expected: string) =>
      new VitrineError('bad-option', `Input ${index} ${found}; expected ${expected}.`);
    if (typeof input !== 'object' || input === null || !('ids' in input)) {
      throw bad(`is ${quote(input)}`, '{ ids }');
    }
    const { ids, types = [], mask = [] } = input;
    const { nCtx, vocabSize, nSegments } = this.config;
    const list = (name: string, given: unknown, most: number): number[] => {
      const numbers = isList(given) ? Array.from(given as ArrayLike<number>) : undefined;
      const wrong = numbers?.find((one) => !integer(0, most).accepts(one));
      if (!numbers || wrong !== undefined)
        throw bad(`has the ${name} ${quote(wrong ?? given)}`, `integers from 0 to ${most}`);
      if (name !== 'ids' && numbers.length > 0 && numbers.length !== ids.length) {
        throw bad(`has ${numbers.length} ${name} for ${ids.length} ids`, 'as many');
      }
      return numbers;
    };
    const tokens = list('ids', ids, vocabSize - 1);
    const segments = list('types', types, Math.max(0, nSegments - 1));
    const kept = list('mask', mask, 1);
    if (tokens.length > nCtx) {
      throw new VitrineError(
        'context-full',
        `Input ${index} has ${tokens.length} ids; the model has ${nCtx} positions.`,
      );
    }
    const positions = bert.positions!(tokens, this.config);
    const rows = tokens.flatMap((token, at) =>
      (kept[at] ?? 1) === 0 ? [] : [{ token, position: positions[at]!, segment: segments[at] ?? 0, at }],
    );
    if (rows.length === 0) throw bad('has no id that its mask keeps', 'at least one');
    return { length: tokens.length, rows };
  }
}

/** Values of the rows that were run, in their place among all of the text's; the others are 0. */
function rowsOf({ length, rows }: EncoderText, values: Float32Array): Tensor {
  const width = values.length / rows.length;
  if (rows.length === length) return { data: values, shape: [length, width] };
  const data = new Float32Array(length * width);
  for (const [i, { at }] of rows.entries()) data.set(values.subarray(i * width, (i + 1) * width), at * width);
  return { data, shape: [length, width] };
}

/** [nHead, kept, kept] in its place among all of the text's ids. */
function patternOf({ length, rows }: EncoderText, data: Float32Array, nHead: number): Tensor {
  const shape = [nHead, length, length];
  if (rows.length === length) return { data, shape };
  const whole = new Float32Array(nHead * length * length);
  const kept = rows.length;
  for (let head = 0; head < nHead; head++) {
    for (const [q, { at }] of rows.entries()) {
      for (const [k, key] of rows.entries()) {
        whole[(head * length + at) * length + key.at] = data[(head * kept + q) * kept + k]!;
      }
    }
  }
  return { data: whole, shape };
}
