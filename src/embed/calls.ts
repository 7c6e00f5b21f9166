import { elsewhere } from '../host/threads.ts';
import type {
  GenerateOptions,
  InspectOptions,
  LoadOptions,
  Model,
  Pipelines,
  Source,
  TextStream,
  Tokenizer,
} from '../index.ts';
import type { HeldRun } from '../learn/answer.ts';
import { models as cachedModels } from '../load/kept.ts';
import { type ErrorJson, errorJson, VitrineError } from '../plan/error.ts';
import { lensNames } from '../plan/lens-names.ts';
import { part } from '../plan/part.ts';
import { insides } from '../run/insides.ts';
import { load } from '../run/load.ts';
import { loadEncoder, loadEncoderDecoder, loadVision } from '../run/loaders.ts';
import { Trace, type TracedTensor } from '../run/traced.ts';
import { askThreads } from './ask-page.ts';
import { type Analyses, kinds, type Loader, type Models, type Spelling, spellings } from './kinds.ts';
import type { Answer, Call } from './protocol.ts';

/** The engine's side of the worker: holds the models, answers calls (see protocol.ts), which `worker.ts` hears. `client.ts` is the page's side. */

interface Caller {
  signal: AbortSignal;
  /** Aborts when the caller wants no more tokens. */
  left: AbortSignal;
  send(event: unknown): void;
}

/** @internal What a tokenizer says of a token. */
export type Spelled = { result: unknown } | { failure: ErrorJson };

/** @internal A trace as it crosses: what `Trace` holds, as plain data. */
export interface PlainTrace {
  tokens: readonly number[];
  logits: TracedTensor;
  tensors: Map<string, TracedTensor>;
}

/** @internal What a page is told of a tokenizer: all but what it does. */
export type PlainTokenizer = Omit<Tokenizer, Spelling | 'stream' | 'target'> & { target?: PlainTokenizer };

const loaders: { [L in Loader]: (source: Source, options: LoadOptions) => Promise<Models[L]> } = {
  load,
  loadEncoder,
  loadEncoderDecoder,
  loadVision,
};
/** Functions of vitrine/analysis, fetched by who looks inside. */
const analyses = {
  overview: 'overview',
  lens: 'lensTokens',
  attribution: 'directLogitAttribution',
  neuron: 'neuronTokens',
  nearest: 'nearestTokens',
  similarities: 'rowSimilarities',
} as const satisfies Record<keyof Analyses, string>;
const learning = () => part('What learns', () => import('../learn/answer.ts'));
const looking = () => part('What looks inside', () => import('../analysis/index.ts'));
const inspecting = () => part('What inspects models', () => import('../run/inspect.ts'));
const piping = () => part('What makes pipelines', () => import('../run/pipeline.ts'));

type Work = (...args: unknown[]) => unknown;

interface Held {
  model: Models[Loader] & { tokenizer?: Tokenizer };
  /** The task that it was loaded for, where there is one. */
  pipe?: Work;
  /** Streams of its tokenizer that hold something, by the numbers that the page gave them. */
  streams: Map<number, TextStream>;
  /** Runs of `train` by the numbers that the page gave them. */
  runs: Map<number, HeldRun>;
}

const held = new Map<number, Held>();
let lastId = 0;

function heldBy(id: number): Held {
  const found = held.get(id);
  if (!found) throw new VitrineError('disposed', 'This model was disposed.', { hint: 'Load it again.' });
  return found;
}

function tokenizerOf(id: number, isTarget: boolean): Tokenizer {
  const { tokenizer } = heldBy(id).model;
  return (isTarget ? tokenizer?.target : tokenizer)!;
}

function plainTokenizer(tokenizer: Tokenizer): PlainTokenizer {
  const { target, stream, ...rest } = tokenizer;
  const plain = Object.entries(rest).filter(([name]) => !spellings.includes(name as Spelling));
  return Object.fromEntries(target ? [...plain, ['target', plainTokenizer(target)]] : plain) as PlainTokenizer;
}

/** Options as the engine takes them; what is no object is left for it to refuse. */
const heard = ({ signal, send }: Caller, options: unknown): unknown => {
  if (typeof options !== 'object' || !options || Array.isArray(options)) return options;
  return { ...options, signal, ...('onProgress' in options && { onProgress: send }) };
};

const calls = {
  /** That it is here. */
  greet: (_: Caller) => true,
  /** `task`: that of a pipeline, whose model is loaded. */
  async load({ signal, send }: Caller, loader: Loader, source: Source, options: LoadOptions, task?: keyof Pipelines) {
    const given = { ...options, signal, onProgress: send };
    const pipe = task === undefined ? undefined : await (await piping()).pipeline(task, source, given);
    const model: Held['model'] = await (pipe?.model ?? loaders[loader](source, given));
    held.set(++lastId, { model, streams: new Map(), runs: new Map(), ...(pipe && { pipe: pipe as Work }) });
    const fields = Object.fromEntries(kinds[loader].fields.map((name) => [name, model[name as keyof typeof model]]));
    const tokenizer = model.tokenizer && plainTokenizer(model.tokenizer);
    const { device } = model;
    const [tensors, weights] = [model.tensors(), model.weights()];
    const others = [...lensNames(model[insides].engine.plan).keys()];
    return { id: lastId, task: pipe?.task, fields, device, tensors, others, weights, tokenizer };
  },
  async generate(caller: Caller, id: number, name: 'generate' | 'chat', prompt: unknown, options: unknown) {
    const model = heldBy(id).model as Model;
    const tokens = model[name](prompt as never, heard(caller, options) as GenerateOptions);
    for (;;) {
      const next = caller.left.aborted ? await tokens.return(undefined as never) : await tokens.next();
      if (next.done) return next.value;
      caller.send(next.value);
    }
  },
  /** A call of a model, an analysis of it, or what else `vitrine/learn` asks of it. */
  async ask(caller: Caller, id: number, name: string, subjects: unknown[], options: unknown) {
    const { model } = heldBy(id);
    const given = heard(caller, options);
    try {
      const analysis = Object.hasOwn(analyses, name) ? analyses[name as keyof Analyses] : undefined;
      const result = await (analysis
        ? ((await looking())[analysis] as Work)(model, ...subjects, given)
        : name in model
          ? (model[name as 'weight'] as Work).call(model, ...subjects, given)
          : ((await learning()).asked[name as 'gradients'] as Work)(model, ...subjects, given));
      if (!(result instanceof Trace)) return result;
      return { tokens: result.tokens, logits: result.logits, tensors: new Map(result) } satisfies PlainTrace;
    } finally {
      for (const subject of subjects.flat()) if (isBitmap(subject)) subject.close(); // the worker's own copy
    }
  },
  /** A step of a run of `train`, its end or its state; `begin`: what the run is of. */
  async train(
    { signal }: Caller,
    id: number,
    number: number,
    what: Parameters<HeldRun['answer']>[0],
    begin?: [unknown, unknown],
  ) {
    const { model, runs } = heldBy(id);
    const { HeldRun } = await learning();
    const run = runs.get(number) ?? (begin && new HeldRun(model, ...(begin as [never, never])));
    if (run) runs.set(number, run);
    const answer = run ? await run.answer(what, signal) : {};
    if (!answer.step && !answer.memory) runs.delete(number);
    return answer;
  },
  /** A call of a pipeline; `isHeard`: its last argument had a signal. */
  async pipe({ signal }: Caller, id: number, args: unknown[], isHeard: boolean): Promise<unknown> {
    const options = isHeard && { ...(args.at(-1) as object), signal };
    return heldBy(id).pipe!(...(options ? [...args.slice(0, -1), options] : args));
  },
  inspect: async ({ signal }: Caller, source: Source, options: InspectOptions) =>
    (await inspecting()).inspect(source, { ...options, signal }),
  spell: (_: Caller, id: number, isTarget: boolean, name: Spelling, args: unknown[]): unknown =>
    (tokenizerOf(id, isTarget)[name] as Work)(...args),
  /** The same of many tokens, each of which may fail by itself. */
  spellEach(_: Caller, id: number, isTarget: boolean, name: Spelling, tokens: number[]) {
    const spell = tokenizerOf(id, isTarget)[name] as Work;
    return tokens.map((token): Spelled => {
      try {
        return { result: spell(token) };
      } catch (error) {
        return { failure: errorJson(error) };
      }
    });
  },
  /** Pushes a token into a stream, which the page has given a number; without one flushes it. */
  stream(_: Caller, id: number, isTarget: boolean, [number, options]: [number, object?], token?: number): string {
    const { streams } = heldBy(id);
    const stream = streams.get(number) ?? tokenizerOf(id, isTarget).stream(options);
    if (token === undefined) streams.delete(number);
    else streams.set(number, stream);
    return token === undefined ? stream.flush() : stream.push(token);
  },
  dispose(_: Caller, id: number) {
    held.get(id)?.model.dispose();
    held.delete(id);
  },
  listModels: (_: Caller) => cachedModels.list(),
  deleteModel: (_: Caller, name: string) => cachedModels.delete(name),
};

/** @internal */
export type Calls = typeof calls;

const isBitmap = (value: unknown): value is ImageBitmap =>
  typeof ImageBitmap !== 'undefined' && value instanceof ImageBitmap;

/** The memory of a result's arrays, which is handed over rather than copied: a long trace has hundreds of megabytes. */
function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (value instanceof Map) for (const item of value.values()) buffersOf(item, found);
  else if (Array.isArray(value)) {
    if (typeof value[0] === 'object') for (const item of value) buffersOf(item, found); // a list of numbers has none
  } else if (typeof value === 'object' && value) for (const item of Object.values(value)) buffersOf(item, found);
  return found;
}

// Firefox may stand still in a worker's `new Worker`. Elsewhere the page, which collects garbage when it pleases, would keep a model's memory for a while.
if (globalThis.navigator?.userAgent.includes('Firefox/')) elsewhere.start = askThreads;

export async function answerCall({ name, args, port }: Call): Promise<void> {
  const abort = new AbortController();
  const left = new AbortController();
  port.onmessage = ({ data }: MessageEvent<'abort' | 'leave'>) => (data === 'leave' ? left : abort).abort();
  const answer = (message: Answer<unknown, unknown>, handed: Iterable<ArrayBuffer> = []) =>
    port.postMessage(message, [...handed]);
  try {
    const call = calls[name as keyof Calls] as (caller: Caller, ...args: unknown[]) => unknown;
    const send = (event: unknown) => answer({ event });
    const result = await call({ signal: abort.signal, left: left.signal, send }, ...args);
    // What a model is asked is the caller's; what is told of it when it is loaded stays the model's own.
    const handed = name === 'ask' || name === 'pipe' ? buffersOf(result) : [];
    answer({ result, device: held.get(args[0] as number)?.model.device }, handed);
  } catch (error) {
    answer({ failure: errorJson(error) });
  }
}
