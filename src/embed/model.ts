import type {
  Completion,
  DeviceInfo,
  GenerateOptions,
  LanguageModel,
  LensOptions,
  LogitsOptions,
  ModelConfig,
  ModelTokenizer,
  Overview,
  OverviewOptions,
  ProfileOptions,
  Prompt,
  ScoreOptions,
  TensorSpec,
  Token,
  Tokenizer,
  TopToken,
  TracedTensor,
  TraceOptions,
  WeightOptions,
  WeightShape,
} from '../index.ts';
import { Trace } from '../run/traced.ts';
import type { Analysis, Asked, analyses, PlainTrace, Spelling } from './calls.ts';
import { type Line, split } from './line.ts';

type Loaded = Awaited<ReturnType<Line['load']>>;

/** A model in the worker: a `LanguageModel` as `Model` is, with promises from the tokenizer. */
export class WorkerModel implements LanguageModel {
  readonly config: ModelConfig;
  readonly tokenizer: ModelTokenizer;
  readonly #line: Line;
  readonly #loaded: Loaded;
  #device: DeviceInfo;

  /** @internal `EngineWorker.load` makes them. */
  constructor(line: Line, loaded: Loaded) {
    this.#line = line;
    this.#loaded = loaded;
    this.#device = loaded.device;
    this.config = loaded.config;
    this.tokenizer = tokenizerOf(line, loaded);
  }

  /** What really runs it, as the worker's last answer said. */
  get device(): DeviceInfo {
    return this.#device;
  }

  /** As `Model.tensors`. */
  tensors(): TensorSpec[] {
    return structuredClone(this.#loaded.tensors);
  }

  /** As `Model.weights`. */
  weights(): WeightShape[] {
    return structuredClone(this.#loaded.weights);
  }

  /**
   * As `Model.generate`. The worker does not wait for the loop: the completion of one that is left early has the tokens
   * that were on their way.
   */
  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<Token, Completion> {
    const { plain, signal } = split('generate', options);
    const tokens: Token[] = [];
    let wake = () => {};
    const onEvent = (token: Token) => {
      tokens.push(token);
      wake();
    };
    const leave = new AbortController();
    let ended = false;
    const hearing = { signal, onEvent, leave: leave.signal, onDevice: this.#onDevice };
    const completion = this.#line.call('generate', [this.#loaded.id, prompt, plain as object], hearing).finally(() => {
      ended = true;
      wake();
    });
    completion.catch(() => {}); // heard below
    let left = true;
    try {
      for (;;) {
        while (tokens.length) {
          signal?.throwIfAborted();
          yield tokens.shift()!;
        }
        if (ended) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      left = false;
      return await completion;
    } finally {
      leave.abort();
      // biome-ignore lint/correctness/noUnsafeFinally: this is how a generator gives return() a value
      if (left) return await completion;
    }
  }

  /** As `Model.complete`. */
  async complete(prompt: Prompt, options: GenerateOptions = {}): Promise<Completion> {
    return this.#ask('complete', prompt, options);
  }

  /** As `Model.logits`: data [positions, vocabSize]. */
  async logits(prompt: Prompt, options: LogitsOptions = {}) {
    return this.#ask('logits', prompt, options);
  }

  /** As `Model.score`. */
  async score(prompt: Prompt, options: ScoreOptions = {}) {
    return this.#ask('score', prompt, options);
  }

  /** As `Model.trace`. */
  async trace(prompt: Prompt, options: TraceOptions = {}): Promise<Trace> {
    const capture = options?.capture;
    const names = () => this.#loaded.tensors.map(({ name }) => name);
    const chosen = typeof capture === 'function' ? { ...options, capture: names().filter((n) => capture(n)) } : options;
    const { tokens, logits, tensors } = await this.#ask<'trace', PlainTrace>('trace', prompt, chosen);
    return new Trace(tokens, logits, tensors);
  }

  /** As `Model.weight`: rows of a weight as the device holds them. */
  async weight(name: string, options: WeightOptions = {}) {
    return this.#ask('weight', name, options);
  }

  /** As `Model.profile`. */
  async profile(prompt: Prompt, options: ProfileOptions = {}) {
    return this.#ask('profile', prompt, options);
  }

  /** `overview` of vitrine/analysis, computed in the worker. */
  async overview(prompt: Prompt, options: OverviewOptions = {}): Promise<Overview> {
    return this.#analyse('overview', [prompt], options);
  }

  /** `lensTokens` of vitrine/analysis, computed in the worker: [nLayer][positions][count]. */
  async lens(prompt: Prompt, count: number, options: LensOptions = {}): Promise<TopToken[][][]> {
    return this.#analyse('lensTokens', [prompt, count], options);
  }

  /** `nearestTokens` of vitrine/analysis, computed in the worker. */
  async nearest(token: number, count: number, options: { signal?: AbortSignal } = {}) {
    return this.#analyse('nearestTokens', [token, count], options);
  }

  /** `rowSimilarities` of vitrine/analysis, computed in the worker: cosines [rows, rows] of a weight's rows. */
  async similarities(name: string, options: { signal?: AbortSignal } = {}): Promise<TracedTensor> {
    return this.#analyse('rowSimilarities', [name], options);
  }

  /** Frees the model's memory, the GPU's too. Safe to call twice, and after the engine has ended. */
  async dispose(): Promise<void> {
    if (!this.#line.ended) await this.#line.call('dispose', [this.#loaded.id]);
  }

  [Symbol.dispose](): void {
    this.dispose().catch(() => {}); // the worker that ended on the way has freed it
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  readonly #onDevice = (device: DeviceInfo): void => {
    this.#device = device;
  };

  #ask<Name extends Asked, Answer = Awaited<ReturnType<LanguageModel[Name]>>>(
    name: Name,
    of: unknown,
    options: object,
  ) {
    const { plain, signal } = split(name, options);
    const hearing = { signal, onDevice: this.#onDevice };
    return this.#line.call('ask', [this.#loaded.id, name, of, plain], hearing) as Promise<Answer>;
  }

  #analyse<Name extends Analysis>(name: Name, subjects: unknown[], options: object) {
    const { plain, signal } = split(name, options);
    const hearing = { signal, onDevice: this.#onDevice };
    const answer = this.#line.call('analyse', [this.#loaded.id, name, subjects, plain], hearing);
    return answer as ReturnType<(typeof analyses)[Name]>;
  }
}

/** The worker spells; a stream puts bytes together here, in the order in which ids are pushed. */
function tokenizerOf(line: Line, { id: model, vocabSize, eosId }: Loaded): ModelTokenizer {
  const spell = <Name extends Spelling>(name: Name, ...args: Parameters<Tokenizer[Name]>) =>
    line.call('spell', [model, name, ...args]) as Promise<ReturnType<Tokenizer[Name]>>;
  const bytes = (id: number) => spell('bytes', id);
  return {
    vocabSize,
    eosId,
    encode: (...args) => spell('encode', ...args),
    decode: (ids) => spell('decode', ids),
    pieces: (ids) => spell('pieces', ids),
    token: (id) => spell('token', id),
    bytes,
    stream() {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      let last: Promise<unknown> = Promise.resolve();
      const next = (text: () => string | Promise<string>) => {
        const mine = last.then(text);
        last = mine.catch(() => {});
        return mine;
      };
      return {
        push: (id) => next(async () => decoder.decode(await bytes(id), { stream: true })),
        flush: () => next(() => decoder.decode()),
      };
    },
  };
}
