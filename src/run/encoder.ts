import type { EncoderConfig } from '../model/bert.ts';
import type { SentenceConfig } from '../model/sentence.ts';
import { badOption } from '../plan/error.ts';
import type { Profile } from '../plan/profile.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { type Answer, type AnswerOptions, answer } from './answer.ts';
import { checkOptions, integer, isSignal, refuse } from './check.ts';
import { type ClassifyOptions, type ClassScore, classify } from './classify.ts';
import { type EmbedOptions, embed } from './embed.ts';
import { EncoderRuns, type EncoderText, type Featured, profileText, traceChecks, traceText } from './encode.ts';
import { type EncoderInput, EncoderReader, type EncoderWords, type IdsText } from './encoder-input.ts';
import type { Engine } from './engine.ts';
import { type Filling, type FillOptions, fill } from './fill.ts';
import { cutOf, type Headed, type HeadOptions, headChecks, using } from './heads.ts';
import { type Insides, insides } from './insides.ts';
import type { ProfileOptions } from './language-model.ts';
import { Loaded, type Tensor } from './loaded.ts';
import type { Chosen } from './loading.ts';
import { type Entity, type TagOptions, tag } from './tag.ts';
import { refuseDropped, type TraceOptions } from './trace.ts';
import { Trace } from './traced.ts';

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

/** What an encoder is made of. */
export interface EncoderParts {
  config: EncoderConfig;
  engine: Engine;
  chosen: Chosen;
  tokenizer: Tokenizer;
  sentences: SentenceConfig;
}

/**
 * A loaded encoder: BERT and its kin. Every method that takes texts throws VitrineErrors: `bad-option` for what it does not take or
 * has no head for, `context-full` for a text that is too long, `device-lost`, `disposed`; or the signal's reason when it aborts.
 */
export class Encoder extends Loaded<EncoderConfig> {
  readonly tokenizer: Tokenizer;
  /** How embeddings are made: what the folder's files say, or the mean of the last hidden states where there are none. */
  readonly sentences: SentenceConfig;
  readonly #runs: EncoderRuns;
  readonly #reader: EncoderReader;
  readonly #hidden: string;

  /** @internal `loadEncoder` makes encoders. */
  constructor({ config, engine, chosen, tokenizer, sentences }: EncoderParts) {
    super(config, engine, chosen);
    this.tokenizer = tokenizer;
    this.sentences = sentences;
    this.#runs = new EncoderRuns(engine);
    this.#reader = new EncoderReader(config, engine.context, tokenizer, sentences);
    this.#hidden = engine.plan.aliases.get('hidden')!;
  }

  /**
   * One vector a text, as sentence-transformers makes it for the same folder: its pooling, layers, prompts and longest text hold.
   * Texts are packed into batches without padding; each gets what it gets alone.
   */
  embed(texts: readonly string[] | string, options: EmbedOptions = {}): Promise<Float32Array[]> {
    return this[using]((headed) => embed(headed, texts, options));
  }

  /** For each mask of a text the likeliest words, best first. */
  fill(text: EncoderWords, options: FillOptions = {}): Promise<Filling[][]> {
    return this[using]((headed) => fill(headed, text, options));
  }

  /** For each text its classes, best first. */
  classify(texts: readonly EncoderWords[] | EncoderWords, options: ClassifyOptions = {}): Promise<ClassScore[][]> {
    return this[using]((headed) => classify(headed, texts, options));
  }

  /** The classes of a text's tokens, or with `aggregate` its entities. */
  tag(text: string, options: TagOptions = {}): Promise<Entity[]> {
    return this[using]((headed) => tag(headed, text, options));
  }

  /** The parts of the context that answer a question, best first. A long context is read in windows that overlap. */
  answer(question: string, context: string, options: AnswerOptions = {}): Promise<Answer[]> {
    return this[using]((headed) => answer(headed, question, context, options));
  }

  /** Hidden states and what the head gives of each text. */
  async run(inputs: readonly EncoderInput[], options: HeadOptions = {}): Promise<EncoderResult> {
    this.engine.alive();
    checkOptions('run', options, headChecks);
    if (!Array.isArray(inputs)) throw refuse('inputs', inputs, 'a list of texts');
    const texts = inputs.map((input, i) => this.#reader.read(input, i, cutOf(options, this.#reader)));
    const { head, nEmbd, pools } = this.config;
    const isWhole = this.#isWhole;
    const extra = [
      ...(pools && head !== 'classes' ? ['pooler.hook_pooler_out'] : []),
      ...(pools && head === 'masked-words' ? ['nsp'] : []),
    ];
    const logitRows = head === undefined && !pools ? undefined : (text: EncoderText) => this.#logitRows(text);
    const wanted = { capture: [this.#hidden, ...extra], ...(logitRows && { logitRows }) };
    const all = await this.#runs.run(texts, wanted, options.signal, ({ logits, captured }, text) => {
      const first = (name: string, width: number) => ({ data: captured.get(name)!.slice(0, width), shape: [width] });
      return {
        hidden: rowsOf(text, captured.get(this.#hidden)!),
        logits: isWhole ? { data: logits, shape: [logits.length] } : rowsOf(text, logits),
        pooled: extra.length > 0 ? first('pooler.hook_pooler_out', nEmbd) : undefined,
        nsp: extra.includes('nsp') ? first('nsp', 2) : undefined,
      };
    });
    return this.proved({
      hidden: all.map(({ hidden }) => hidden),
      ...(extra.length > 0 && { pooled: all.map(({ pooled }) => pooled!) }),
      ...(head && { logits: all.map(({ logits }) => logits) }),
      ...(extra.includes('nsp') && { nsp: all.map(({ nsp }) => nsp!) }),
    });
  }

  /**
   * The intermediate tensors of one run over one input (or a list of that one), optionally edited on the way. What a mask
   * drops is 0.
   */
  async trace(input: EncoderInput | readonly [EncoderInput], options: TraceOptions = {}): Promise<Trace> {
    this.engine.alive();
    checkOptions('trace', options, traceChecks);
    const text = this.#one('trace', input);
    if (options.edits?.length) refuseDropped(text);
    options.signal?.throwIfAborted();
    const { plan } = this.engine;
    const logitRows = this.#logitRows(text);
    const { names, found } = await traceText(this.engine, text, options, logitRows);
    const whole = (name: string): Tensor => {
      const data = found.get(name)!;
      const { shape } = plan.tensors.get(name)!;
      const inner = shape.slice(1) as number[];
      if (shape[0] === 'logitRows') return { data, shape: [logitRows.length, ...inner] };
      if (shape[0] === 'rows') return { data: rowsOf(text, data).data, shape: [text.length, ...inner] };
      return patternOf(text, data, shape[0] as number);
    };
    const { head } = this.config;
    const logits = head ? whole('logits') : { data: new Float32Array(0), shape: [0, 0] };
    const traced = names.map(([asked, name]): [string, Tensor] => [asked, whole(name)]);
    return this.proved(new Trace([...text.ids], logits, head ? [...traced, ['logits', logits]] : traced));
  }

  /** How long each step takes for one text. By the GPU's clock where the device has `timestamp-query`. */
  async profile(input: EncoderInput, options: ProfileOptions = {}): Promise<Profile> {
    this.engine.alive();
    checkOptions('profile', options, { repeats: integer(1), signal: isSignal });
    const { repeats = 10, signal } = options;
    const text = this.#one('profile', input);
    return this.proved(await profileText(this.engine, text, this.#logitRows(text), repeats, signal));
  }

  /** @internal What texts are run by, for a call of the methods above or of a pipeline. */
  async [using]<T>(call: (headed: Headed) => Promise<T>): Promise<T> {
    this.engine.alive();
    const inside = this[insides];
    const { config, sentences } = this;
    return this.proved(await call({ ...inside.featured, config, sentences, reader: this.#reader, inside }));
  }

  /** @internal */
  get [insides](): Insides & { featured: Featured } {
    const read = (input: unknown, index: number, truncation = false) =>
      this.#reader.read(input as EncoderInput, index, cutOf({ truncation }, this.#reader));
    const { config, sentences } = this;
    const pools = config.pools && config.head === undefined;
    const featured = { runs: this.#runs, hidden: this.#hidden, row: 'first', sentences, pools } as const;
    return { kind: 'encoder', engine: this.engine, read, featured };
  }

  /** The head gives one answer for a whole text, by its first row. */
  get #isWhole(): boolean {
    return this.config.head === 'classes' || this.config.head === undefined;
  }

  #logitRows({ rows }: EncoderText): number[] {
    return this.#isWhole ? [0] : [...rows.keys()];
  }

  #one(call: string, input: EncoderInput | readonly EncoderInput[]): IdsText {
    const [one, ...more] = Array.isArray(input) ? (input as EncoderInput[]) : [input as EncoderInput];
    if (one !== undefined && more.length === 0) return this.#reader.read(one, 0);
    const found = Array.isArray(input) ? input.length : 'no';
    throw badOption(`${call} got ${found} inputs; expected one.`);
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
