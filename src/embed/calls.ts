import { lensTokens, nearestTokens, overview, rowSimilarities } from '../analysis/index.ts';
import {
  models as cachedModels,
  type GenerateOptions,
  type LoadOptions,
  load,
  type Model,
  type ModelTokenizer,
  type Prompt,
  type Source,
} from '../index.ts';
import { errorJson, VitrineError } from '../plan/error.ts';
import { Trace, type TracedTensor } from '../run/traced.ts';
import type { Answer, Call } from './protocol.ts';

/** The engine's side of the worker: holds the models, answers calls (see protocol.ts), which `worker.ts` hears. `client.ts` is the page's side. */

interface Line {
  signal: AbortSignal;
  /** Aborts when the caller wants no more tokens. */
  left: AbortSignal;
  send(event: unknown): void;
}

/** @internal A trace as it crosses: what `Trace` holds, as plain data. */
export interface PlainTrace {
  tokens: readonly number[];
  logits: TracedTensor;
  tensors: Map<string, TracedTensor>;
}

/** @internal What runs over a whole model in the worker, so that only the outcome crosses. */
export const analyses = { overview, lensTokens, nearestTokens, rowSimilarities };

/** @internal Calls of `Model` that are asked and answered once; the last of their arguments are options with a signal. */
export type Asked = 'complete' | 'logits' | 'score' | 'trace' | 'profile' | 'weight';
/** @internal */
export type Analysis = keyof typeof analyses;
/** @internal Calls of the tokenizer that give plain data. */
export type Spelling = Exclude<keyof ModelTokenizer, 'vocabSize' | 'eosId' | 'stream'>;

type Work = (...args: unknown[]) => unknown;

const models = new Map<number, Model>();
let lastId = 0;

function modelOf(id: number): Model {
  const model = models.get(id);
  if (!model) throw new VitrineError('disposed', 'This model was disposed.', { hint: 'Load it again.' });
  return model;
}

/** Options as the engine takes them; what is no object is left for it to refuse. */
const withSignal = (options: unknown, signal: AbortSignal) =>
  typeof options === 'object' && options && !Array.isArray(options) ? { ...options, signal } : options;

const calls = {
  /** That it is here. */
  greet: (_: Line) => true,
  async load({ signal, send }: Line, source: Source, options: LoadOptions) {
    const model = await load(source, { ...options, signal, onProgress: send });
    models.set(++lastId, model);
    const { config, device, tokenizer } = model;
    const { vocabSize, eosId } = tokenizer;
    return { id: lastId, config, device, tensors: model.tensors(), weights: model.weights(), vocabSize, eosId };
  },
  async generate({ signal, left, send }: Line, id: number, prompt: Prompt, options: GenerateOptions) {
    const tokens = modelOf(id).generate(prompt, withSignal(options, signal) as GenerateOptions);
    for (;;) {
      const next = left.aborted ? await tokens.return(undefined as never) : await tokens.next();
      if (next.done) return next.value;
      send(next.value);
    }
  },
  async ask({ signal }: Line, id: number, name: Asked, subject: unknown, options: unknown): Promise<unknown> {
    const model = modelOf(id);
    const result = await (model[name] as Work).call(model, subject, withSignal(options, signal));
    if (!(result instanceof Trace)) return result;
    return { tokens: result.tokens, logits: result.logits, tensors: new Map(result) } satisfies PlainTrace;
  },
  analyse: ({ signal }: Line, id: number, name: Analysis, subjects: unknown[], options: unknown): unknown =>
    (analyses[name] as Work)(modelOf(id), ...subjects, withSignal(options, signal)),
  spell: (_: Line, id: number, name: Spelling, ...args: unknown[]): unknown =>
    (modelOf(id).tokenizer[name] as Work)(...args),
  dispose(_: Line, id: number) {
    models.get(id)?.dispose();
    models.delete(id);
  },
  listModels: (_: Line) => cachedModels.list(),
  deleteModel: (_: Line, name: string) => cachedModels.delete(name),
};

/** @internal */
export type Calls = typeof calls;

/** The memory of a result's arrays, which is handed over rather than copied: a long trace has hundreds of megabytes. */
function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (value instanceof Map) for (const item of value.values()) buffersOf(item, found);
  else if (typeof value === 'object' && value && !Array.isArray(value))
    for (const item of Object.values(value)) buffersOf(item, found);
  return found;
}

export async function answerCall({ name, args, port }: Call): Promise<void> {
  const abort = new AbortController();
  const left = new AbortController();
  port.onmessage = ({ data }: MessageEvent<'abort' | 'leave'>) => (data === 'leave' ? left : abort).abort();
  const answer = (message: Answer<unknown, unknown>, handed: Iterable<ArrayBuffer> = []) =>
    port.postMessage(message, [...handed]);
  try {
    const call = calls[name as keyof Calls] as (line: Line, ...args: unknown[]) => unknown;
    const send = (event: unknown) => answer({ event });
    const result = await call({ signal: abort.signal, left: left.signal, send }, ...args);
    answer({ result, device: models.get(args[0] as number)?.device }, buffersOf(result));
  } catch (error) {
    answer({ failure: errorJson(error) });
  }
}
