import type { ModelConfig } from '../model/config.ts';
import { badOption } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import type { Profile } from '../plan/profile.ts';
import type { ChatMessage } from '../text/chat.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { ChatOptions, ChatTemplates, ChatTextOptions } from './chat.ts';
import { checkOptions, integer, integersOf, isList, isSignal, listOf, quote } from './check.ts';
import type { ClassifyOptions, ClassScore } from './classify.ts';
import { lengthOf, sharesRuns } from './company.ts';
import { defaultsOf } from './defaults.ts';
import type { Engine } from './engine.ts';
import { beginning, generate, toEnd } from './generate.ts';
import { type Insides, insides } from './insides.ts';
import type { LanguageModel, LogitsOptions, ProfileOptions, Prompt } from './language-model.ts';
import { Loaded } from './loaded.ts';
import type { Chosen } from './loading.ts';
import { type GenerateOptions, generateChecks, readGenerateOptions } from './options.ts';
import type { Completion, Token } from './output.ts';
import type { Score, ScoreOptions } from './score.ts';
import { fitting, sessionSize } from './session.ts';
import type { TraceOptions } from './trace.ts';
import type { Trace } from './traced.ts';
import { trainedHeads } from './trained-heads.ts';

/** What makes the text of a chat, fetched by who converses. */
export const chatPart = () => part('What makes chats', () => import('./chat.ts'));
const tracePart = () => part('What traces texts', () => import('./trace.ts'));

/**
 * A loaded model. Calls run side by side, each on a KV cache of its own; recent caches are kept, so that a prompt that
 * begins like an earlier one costs only what differs. After `dispose` every call, running ones too, fails with
 * `disposed`; a lost GPU is replaced and the call goes on.
 */
export class Model extends Loaded<ModelConfig> implements LanguageModel {
  readonly tokenizer: Tokenizer;

  readonly #chatTemplates: () => Promise<ChatTemplates>;

  /** @internal `load` makes models. */
  constructor(
    config: ModelConfig,
    { tokenizer, chatTemplates }: { tokenizer: Tokenizer; chatTemplates(): Promise<ChatTemplates> },
    engine: Engine,
    chosen: Chosen,
  ) {
    super(config, engine, chosen);
    this.tokenizer = tokenizer;
    this.#chatTemplates = chatTemplates;
  }

  /**
   * Continues a prompt, token by token; an empty one starts from `<|endoftext|>`. The generator's return value is the
   * completion; leaving the loop early frees what it holds.
   * @throws VitrineError `bad-option`, `context-full`, `device-lost`, `disposed`; the signal's reason when it aborts
   */
  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<Token, Completion> {
    this.engine.alive();
    return yield* generate(this.#call(prompt, options));
  }

  /**
   * Answers a chat: `generate` on the text that the checkpoint's chat template makes of the messages. Of a chat that goes on, only
   * what is new is run. Tools are told to the template; what the model writes to call one is in the completion's text.
   * @throws VitrineError `bad-option` where the model has no chat template or it does not take the messages, and as `generate`
   */
  async *chat(messages: readonly ChatMessage[], options: ChatOptions = {}): AsyncGenerator<Token, Completion> {
    this.engine.alive();
    const { chatChecks, chatIds } = await chatPart();
    checkOptions('chat', options, chatChecks);
    const { tools: _, variables: __, template: ___, addGenerationPrompt: ____, ...rest } = options;
    rest.signal?.throwIfAborted();
    return yield* this.generate(chatIds(this.tokenizer, await this.#chatText(messages, options)), rest);
  }

  /**
   * What `chat` gives the model to read: the text that its template makes of the messages.
   * @throws VitrineError `bad-option` where the model has no chat template or it does not take the messages
   */
  async chatText(
    messages: readonly ChatMessage[],
    options: ChatTextOptions & { signal?: AbortSignal } = {},
  ): Promise<string> {
    this.engine.alive();
    const { chatTextChecks } = await chatPart();
    checkOptions('chatText', options, { ...chatTextChecks, signal: isSignal });
    const { signal, ...told } = options;
    signal?.throwIfAborted();
    return this.#chatText(messages, told);
  }

  async #chatText(messages: readonly ChatMessage[], options: ChatTextOptions): Promise<string> {
    const templates: ChatTemplates = options.template === undefined ? await this.#chatTemplates() : new Map();
    return (await chatPart()).chatText(this.tokenizer, templates, messages, options);
  }

  /**
   * Bytes that a text takes beside the weights (`device.bytes`) while it is worked on: its keys and values, and what a run works with.
   * They are taken by a model's first call, for as many tokens as its context has (`contextLength`).
   * @throws VitrineError `bad-option` unless it is a number of tokens that the model can have
   */
  memoryFor(tokens: number): number {
    this.engine.alive();
    const most = integer(1, this.engine.plan.nCtx);
    if (!most.accepts(tokens)) {
      throw badOption(`memoryFor was asked for ${quote(tokens)} tokens; expected ${most.expects}.`);
    }
    const size = sessionSize(1, { context: tokens, chunk: this.engine.chunk });
    return this.engine.current.programBytes(this.engine.plan, size);
  }

  /**
   * `generate` without the steps between. Several prompts (a list of numbers is one prompt's ids) are worked on side by side and share
   * their runs; their completions are in the same order, each as it is alone.
   */
  complete(prompts: readonly Prompt[], options?: GenerateOptions): Promise<Completion[]>;
  complete(prompt: Prompt, options?: GenerateOptions): Promise<Completion>;
  async complete(
    prompt: Prompt | readonly Prompt[],
    options: GenerateOptions = {},
  ): Promise<Completion | Completion[]> {
    if (areSeveral(prompt)) return this.#completeAll(prompt, options);
    return toEnd(this.generate(prompt, options));
  }

  async #completeAll(prompts: readonly Prompt[], options: GenerateOptions): Promise<Completion[]> {
    this.engine.alive();
    checkOptions('generate', options, generateChecks);
    const { signal } = options;
    signal?.throwIfAborted();
    const stop = new AbortController(); // of those that are under way when one fails
    // Each has a signal of its own: Node warns of one that many listen to.
    const own = () => ({ ...options, signal: AbortSignal.any(signal ? [signal, stop.signal] : [stop.signal]) });
    const calls = prompts.map((prompt) => this.#call(prompt, own()));
    for (const call of calls) beginning(call); // what does not fit is told before anything runs
    const { SharedRuns } = await part('What writes side by side', () => import('./side-by-side.ts'));
    const text = Math.max(...calls.map(lengthOf));
    const runs = calls.every(sharesRuns) ? SharedRuns.open(this.engine, calls.length, text) : undefined;
    const completions = calls.map((call) => toEnd(generate({ ...call, runs })));
    try {
      return await Promise.all(completions);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(completions);
      throw error;
    } finally {
      runs?.dispose();
    }
  }

  /** A prompt's ids, the token that begins a text where it has none, and how it is to be continued. */
  #call(prompt: Prompt, options: GenerateOptions) {
    const { engine, tokenizer } = this;
    const { vocabSize, eosTokenIds, bosTokenId, generation = {} } = this.config;
    const ids = this.#ids(prompt);
    const defaults = defaultsOf(generation, Math.max(1, ids.length));
    const encode = (text: string) => tokenizer.encode(text);
    const settings = readGenerateOptions(options, { vocabSize, eosTokenIds, encode, defaults });
    if (ids.length === 0) {
      if (bosTokenId === null) throw badOption('The prompt is empty, and this model has no token that begins a text.');
      ids.push(bosTokenId);
    }
    return { engine, tokenizer, prompt: ids, settings };
  }

  /** The logits after each of the positions, in their order: data [positions, vocabSize]. */
  async logits(prompt: Prompt, options: LogitsOptions = {}): Promise<{ data: Float32Array; shape: [number, number] }> {
    this.engine.alive();
    checkOptions('logits', options, { positions: listOf('integers', Number.isInteger), signal: isSignal });
    const ids = this.#fitting(prompt);
    const { positions = [-1], signal } = options;
    signal?.throwIfAborted();
    const wanted = (await tracePart()).positionsIn(positions, ids.length);
    const { vocabSize } = this.config;
    const data = new Float32Array(wanted.length * vocabSize);
    const onLogits = (position: number, { logits }: { logits: Float32Array }) => {
      for (const [i, at] of wanted.entries()) if (at === position) data.set(logits, i * vocabSize);
    };
    const set = new Set(wanted);
    const last = Math.max(-1, ...wanted);
    const from = Math.min(ids.length, ...wanted);
    const reading = { from, wants: (position: number) => set.has(position), onLogits, signal };
    await this.engine.lend(ids, (session) => session.read(ids.slice(0, last + 1), reading));
    return this.proved({ data, shape: [wanted.length, vocabSize] as [number, number] });
  }

  /** Log-probability, rank and entropy of every token of a text of any length, and its perplexity. */
  async score(prompt: Prompt, options: ScoreOptions = {}): Promise<Score> {
    this.engine.alive();
    const { score } = await part('What scores texts', () => import('./score.ts'));
    return this.proved(await score(this.engine, this.#ids(prompt), options));
  }

  /**
   * For each text its classes, best first, by the head that an adapter brought: a decoder has none of its own.
   * @throws VitrineError `bad-option` where no head is on, `context-full`, `device-lost`, `disposed`; the signal's reason when it aborts
   */
  async classify(texts: readonly Prompt[] | Prompt, options: ClassifyOptions = {}): Promise<ClassScore[][]> {
    this.engine.alive();
    const { classifyByHead } = await trainedHeads();
    const isList = areSeveral(texts) || (Array.isArray(texts) && texts.length === 0);
    const list = isList ? (texts as readonly Prompt[]) : [texts as Prompt];
    return this.proved(await classifyByHead(this[insides], list, options));
  }

  /** The intermediate tensors of one run over a text, optionally edited on the way. */
  async trace(prompt: Prompt, options: TraceOptions = {}): Promise<Trace> {
    this.engine.alive();
    const { trace } = await tracePart();
    return this.proved(await trace(this.engine, this.#fitting(prompt), options));
  }

  /**
   * How long each step takes for the text's last token, those before it in the cache: what a generated token costs, but
   * for the choice of it. By the GPU's clock where the device has `timestamp-query`.
   */
  async profile(prompt: Prompt, options: ProfileOptions = {}): Promise<Profile> {
    this.engine.alive();
    checkOptions('profile', options, { repeats: integer(1), signal: isSignal });
    const { repeats = 10, signal } = options;
    const ids = this.#fitting(prompt);
    return this.proved(await this.engine.lend(ids, (session) => session.profile(ids, repeats, signal)));
  }

  /** @internal */
  get [insides](): Insides {
    const read = (prompt: unknown, _: number, cuts = false) => {
      const whole = this.#ids(prompt as Prompt);
      const ids = this.#fitting(cuts ? whole.slice(0, this.engine.context) : whole);
      return { ids, length: ids.length, rows: ids.map((token, at) => ({ token, position: at, segment: 0, at })) };
    };
    const encode = (text: Prompt) => this.#ids(text);
    const within = (text: string) => this.tokenizer.encode(text);
    const chat = async (messages: readonly ChatMessage[], addGenerationPrompt: boolean) =>
      (await chatPart()).chatIds(this.tokenizer, await this.#chatText(messages, { addGenerationPrompt }));
    return { kind: 'decoder', engine: this.engine, read, encode, within, chat };
  }

  /** What the tokenizer puts before every text, as Llama's does, but not what it puts behind one. */
  get #beginning(): number[] {
    const { bosId, eosId } = this.tokenizer;
    return this.tokenizer.encode('', { special: true }).filter((id) => id === bosId || id !== eosId);
  }

  #ids(prompt: Prompt): number[] {
    if (prompt === '') return [];
    if (typeof prompt === 'string') return [...this.#beginning, ...this.tokenizer.encode(prompt)];
    return integersOf('prompt', prompt, this.config.vocabSize, 'a string or a list of token ids');
  }

  /** Ids of a text of at least one token that fits the context. */
  #fitting(prompt: Prompt): number[] {
    return fitting(this.#ids(prompt), this.engine, 'text');
  }
}

/** Whether these are prompts: a list of numbers is one. */
const areSeveral = (prompt: Prompt | readonly Prompt[]): prompt is readonly Prompt[] =>
  Array.isArray(prompt) && (typeof prompt[0] === 'string' || isList(prompt[0]));
