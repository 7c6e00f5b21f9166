import type { EncoderDecoderConfig } from '../model/family.ts';
import { badOption } from '../plan/error.ts';
import type { Profile } from '../plan/profile.ts';
import { inputsFields } from '../text/options.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { checkOptions, integer, integersOf, isList, isSignal, quote } from './check.ts';
import { defaultsOf } from './defaults.ts';
import type { Engine } from './engine.ts';
import { generate, toEnd } from './generate.ts';
import { type Insides, insides } from './insides.ts';
import type { ProfileOptions } from './language-model.ts';
import { Loaded, type Tensor } from './loaded.ts';
import type { Chosen } from './loading.ts';
import type { SourceText } from './memory.ts';
import { type EncoderDecoderOptions, readGenerateOptions } from './options.ts';
import type { Completion, Token } from './output.ts';
import { type Score, scoreOf } from './score.ts';
import { fitting, type Session } from './session.ts';
import { refuseDropped, type TraceOptions, trace } from './trace.ts';
import type { Trace } from './traced.ts';

/** What is read: a text, its token ids, or these with a mask that is 0 for ids that the model does not see. */
export type SourceInput = string | ArrayLike<number> | { ids: ArrayLike<number>; mask?: ArrayLike<number> };

/** What is written: a text, or token ids. */
export type TargetInput = string | ArrayLike<number>;

export interface EncoderDecoderResult {
  /** [n, nEmbd] of the encoder; rows that a mask drops are 0. */
  encoded: Tensor;
  /** [nTarget, vocabSize] after each token of the target. */
  logits: Tensor;
}

/** A loaded encoder-decoder: Marian, BART, T5 and their kin. */
export class EncoderDecoder extends Loaded<EncoderDecoderConfig> {
  /** Of sources; `target` is that of what is written, where it is another. */
  readonly tokenizer: Tokenizer;
  readonly #target: Tokenizer;

  /** @internal `loadEncoderDecoder` makes them. */
  constructor(config: EncoderDecoderConfig, tokenizer: Tokenizer, engine: Engine, chosen: Chosen) {
    super(config, engine, chosen);
    this.tokenizer = tokenizer;
    this.#target = tokenizer.target ?? tokenizer;
  }

  /**
   * Writes what follows from a source, token by token. What the options leave open is as generation_config.json says, or
   * config.json. The generator's return value is the completion; leaving the loop early frees what it holds.
   * @throws VitrineError `bad-option`, `context-full`, `device-lost`, `disposed`; the signal's reason when it aborts
   */
  async *generate(source: SourceInput, options: EncoderDecoderOptions = {}): AsyncGenerator<Token, Completion> {
    this.engine.alive();
    const { vocabSize, generation } = this.config;
    const encode = (text: string) => this.#target.encode(text);
    const scope = { vocabSize, eosTokenIds: [], encode, isEncoderDecoder: true, defaults: defaultsOf(generation, 1) };
    const settings = readGenerateOptions(options, scope);
    const prompt = [this.#start(options.decoderStartTokenId)];
    const read = this.#source(source);
    if (settings.edits.length > 0) refuseDropped(read);
    // Of special tokens that are written, pads and language codes, nobody wants to read.
    const tokenizer = { ...this.#target, stream: () => this.#target.stream({ special: false }) };
    return yield* generate({ engine: this.engine, tokenizer, prompt, source: read, settings });
  }

  /** `generate` without the steps between. */
  async complete(source: SourceInput, options: EncoderDecoderOptions = {}): Promise<Completion> {
    return toEnd(this.generate(source, options));
  }

  /** Log-probability, rank and entropy of every token of a target, which has no start token, and its perplexity. */
  async score(source: SourceInput, target: TargetInput, options: { signal?: AbortSignal } = {}): Promise<Score> {
    this.engine.alive();
    checkOptions('score', options, { signal: isSignal });
    const { signal } = options;
    signal?.throwIfAborted();
    const ids = this.#targetIds(target);
    const read = this.#source(source);
    const text = this.#fitting([this.#start(), ...ids.slice(0, -1)]);
    const { judged, whole } = scoreOf(ids);
    const reading = { from: 0, target: (position: number) => ids[position]!, onScore: judged, signal };
    await this.engine.lend(text, (session) => session.read(ids.length > 0 ? text : [], reading), read);
    return this.proved(whole());
  }

  /** What the encoder makes of a source, and the logits after each id of a target as the decoder reads it: its start token first. */
  async run(
    source: SourceInput,
    target: TargetInput,
    options: { signal?: AbortSignal } = {},
  ): Promise<EncoderDecoderResult> {
    checkOptions('run', options, { signal: isSignal });
    const name = this.engine.plan.aliases.get('encoded')!;
    const traced = await this.trace({ source, target }, { capture: [name], ...options });
    return { encoded: traced.get(name)!, logits: traced.logits };
  }

  /** The intermediate tensors of both parts and `logits`, of one run over a source and a target, optionally edited on the way. */
  async trace(input: { source: SourceInput; target: TargetInput }, options: TraceOptions = {}): Promise<Trace> {
    this.engine.alive();
    const { source, target } = bothOf(input);
    const ids = this.#fitting(this.#decoderIds(target));
    const traced = await trace(this.engine, ids, options, this.#source(source));
    return this.proved(traced.set('logits', traced.logits));
  }

  /** How long each step of the decoder takes for the target's last token, those before it in the cache. */
  async profile(input: { source: SourceInput; target: TargetInput }, options: ProfileOptions = {}): Promise<Profile> {
    this.engine.alive();
    const { source, target } = bothOf(input);
    checkOptions('profile', options, { repeats: integer(1), signal: isSignal });
    const { repeats = 10, signal } = options;
    const ids = this.#fitting(this.#decoderIds(target));
    const timed = (session: Session) => session.profile(ids, repeats, signal);
    return this.proved(await this.engine.lend(ids, timed, this.#source(source)));
  }

  /** @internal A target has no start token, as in `score`. */
  get [insides](): Insides {
    const read = (input: unknown, _: number, cuts = false) => {
      const most = cuts ? this.engine.context : undefined;
      const { source, target } = bothOf(input);
      const ids = this.#targetIds(target).slice(0, most);
      const seen = this.#fitting([this.#start(), ...ids.slice(0, -1)]);
      const rows = seen.map((token, at) => ({ token, position: at, segment: 0, at }));
      return { ids, length: rows.length, rows, source: this.#source(source, most) };
    };
    return { kind: 'encoder-decoder', engine: this.engine, read };
  }

  /** The decoder's first token. */
  #start(given?: number | null): number {
    const { decoderStartTokenId, bosTokenId } = this.config.generation;
    const start = (given === null ? undefined : (given ?? decoderStartTokenId)) ?? bosTokenId;
    const { vocabSize } = this.config;
    if (start !== undefined && integer(0, vocabSize - 1).accepts(start)) return start;
    const found = start === undefined ? 'no token begins a text' : `the decoder's first token is ${start}`;
    const hint = 'Pass decoderStartTokenId, of a multilingual model the code of the language to write.';
    throw badOption(`In this model ${found}; expected decoderStartTokenId below ${vocabSize}.`, hint);
  }

  #source(input: SourceInput, most?: number): SourceText {
    const { sourceVocabSize, isRelative } = this.config;
    const isPlain = typeof input === 'string' || isList(input);
    if (!isPlain && !(typeof input === 'object' && input !== null && 'ids' in input)) {
      throw badOption(`The source is ${quote(input)}; expected a text, ids, or { ids, mask? }.`);
    }
    const { ids, mask, ...more } = isPlain ? { ids: input as TargetInput, mask: undefined } : input;
    const unknown = Object.keys(more).find((key) => !inputsFields.includes(key));
    if (unknown) throw badOption(`The source has ${quote(unknown)}; expected ids and mask alone.`);
    const whole =
      typeof ids === 'string'
        ? this.tokenizer.encode(ids, { special: true })
        : integersOf('source', ids, sourceVocabSize);
    const kept = mask === undefined ? undefined : integersOf('mask of the source', mask, 2);
    if (kept && kept.length !== whole.length) {
      throw badOption(`The mask has ${kept.length} numbers for ${whole.length} ids; expected as many.`);
    }
    const tokens = whole.slice(0, most);
    this.#fitting(tokens, 'source');
    const rows = tokens.map((token, position) => ({ token, position })).filter((_, i) => (kept?.[i] ?? 1) === 1);
    if (rows.length === 0) throw badOption('The source has no id that is seen; expected at least one.');
    if (isRelative && rows.at(-1)!.position - rows[0]!.position >= rows.length) {
      const expected = 'one that drops ids at the ends alone, as positions are relative in this model';
      throw badOption(`The mask drops ids within the source; expected ${expected}.`);
    }
    return { length: tokens.length, rows };
  }

  /** A target's ids, without a start token. */
  #targetIds(target: TargetInput): number[] {
    if (typeof target === 'string') return this.#target.encode(target, { special: true });
    return integersOf('target', target, this.config.vocabSize);
  }

  /** A target as the decoder reads it; of a text all but the token that ends it, after which nothing comes. */
  #decoderIds(target: TargetInput): number[] {
    const ids = this.#targetIds(target);
    if (typeof target !== 'string') return ids;
    const { eosTokenIds = [] } = this.config.generation;
    return [this.#start(), ...(eosTokenIds.includes(ids.at(-1)!) ? ids.slice(0, -1) : ids)];
  }

  #fitting(ids: number[], what = 'target'): number[] {
    return fitting(ids, this.engine, what);
  }
}

/** @throws VitrineError `bad-option` for what is no source with its target */
function bothOf(input: unknown): { source: SourceInput; target: TargetInput } {
  if (typeof input === 'object' && input !== null && 'source' in input && 'target' in input) {
    return input as { source: SourceInput; target: TargetInput };
  }
  throw badOption(`The input is ${quote(input)}; expected { source, target }.`);
}
