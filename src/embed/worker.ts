/// <reference lib="webworker" />
import {
  models as cachedModels,
  type GenerateOptions,
  type LensOptions,
  type LoadOptions,
  type LogitsOptions,
  load,
  logitLens,
  type Model,
  nearestRows,
  type Overview,
  type OverviewOptions,
  overview,
  type ProfileOptions,
  type Prompt,
  rowSimilarities,
  type ScoreOptions,
  type Source,
  type TracedTensor,
  type TraceOptions,
  type WeightOptions,
} from '../index.ts';
import { VitrineError } from '../plan/error.ts';
import { scored } from '../run/output.ts';
import { type Answer, type Call, packFailure } from './protocol.ts';

/** The engine's side of the worker: holds the models, answers calls (see protocol.ts). `client.ts` is the page's side. */

interface Line {
  signal: AbortSignal;
  send(event: unknown): void;
}

/** A trace as it crosses: what `Trace` holds, as plain data. */
export interface WorkerTrace {
  tokens: readonly number[];
  logits: TracedTensor;
  /** By name. */
  tensors: Map<string, TracedTensor>;
}

const models = new Map<number, Model>();
let lastId = 0;

function modelOf(id: number): Model {
  const model = models.get(id);
  if (!model) throw new VitrineError('disposed', 'This model was disposed.', { hint: 'Load it again.' });
  return model;
}

const calls = {
  /** That it is here. */
  greet: (_: Line) => true,
  async load({ signal, send }: Line, source: Source, options: LoadOptions) {
    const model = await load(source, { ...options, signal, onProgress: send });
    models.set(++lastId, model);
    return { id: lastId, config: model.config, device: model.device, tensors: model.tensors() };
  },
  async generate({ signal, send }: Line, id: number, prompt: Prompt, options: GenerateOptions) {
    const tokens = modelOf(id).generate(prompt, { ...options, signal });
    for (;;) {
      const next = await tokens.next();
      if (next.done) return next.value;
      send(next.value);
      await newTask(); // a backend that never waits would keep 'abort' from being heard
    }
  },
  logits: ({ signal }: Line, id: number, prompt: Prompt, options: LogitsOptions) =>
    modelOf(id).logits(prompt, { ...options, signal }),
  score: ({ signal }: Line, id: number, prompt: Prompt, options: ScoreOptions) =>
    modelOf(id).score(prompt, { ...options, signal }),
  async trace({ signal }: Line, id: number, prompt: Prompt, options: TraceOptions): Promise<WorkerTrace> {
    const trace = await modelOf(id).trace(prompt, { ...options, signal });
    return { tokens: trace.tokens, logits: trace.logits, tensors: new Map(trace) };
  },
  weight: ({ signal }: Line, id: number, name: string, options: WeightOptions) =>
    modelOf(id).weight(name, { ...options, signal }),
  overview: ({ signal }: Line, id: number, prompt: Prompt, options: OverviewOptions) =>
    overview(modelOf(id), prompt, { ...options, signal }),
  async lens({ signal }: Line, id: number, prompt: Prompt, count: number, options: LensOptions) {
    const model = modelOf(id);
    const lens = await logitLens(model, prompt, { ...options, signal });
    const { vocabSize } = model.config;
    return lens.map(({ data, shape: [rows = 0] }) =>
      Array.from({ length: rows }, (_, row) => {
        const logits = data.subarray(row * vocabSize, (row + 1) * vocabSize);
        return scored(0, logits, count, model.tokenizer).top!;
      }),
    );
  },
  async nearest({ signal }: Line, id: number, token: number, count: number) {
    const model = modelOf(id);
    const nearest = await nearestRows(model, 'wte.weight', token, { count, signal });
    return nearest.map(({ row, cosine }) => ({ id: row, text: model.tokenizer.token(row), cosine }));
  },
  similarities: ({ signal }: Line, id: number, name: string) => rowSimilarities(modelOf(id), name, { signal }),
  profile: ({ signal }: Line, id: number, prompt: Prompt, options: ProfileOptions) =>
    modelOf(id).profile(prompt, { ...options, signal }),
  bytes: (_: Line, id: number, token: number) => modelOf(id).tokenizer.bytes(token),
  encode: (_: Line, id: number, ...args: Parameters<Model['tokenizer']['encode']>) =>
    modelOf(id).tokenizer.encode(...args),
  pieces(_: Line, id: number, ids: number[]): string[] {
    const stream = modelOf(id).tokenizer.stream();
    const texts = ids.map((token) => stream.push(token));
    if (texts.length > 0) texts[texts.length - 1] += stream.flush();
    return texts;
  },
  decode: (_: Line, id: number, ids: number[]) => modelOf(id).tokenizer.decode(ids),
  token: (_: Line, id: number, token: number) => modelOf(id).tokenizer.token(token),
  dispose(_: Line, id: number) {
    models.get(id)?.dispose();
    models.delete(id);
  },
  listModels: (_: Line) => cachedModels.list(),
  deleteModel: (_: Line, name: string) => cachedModels.delete(name),
};

export type Calls = typeof calls;

/** Lets waiting messages in. Not setTimeout: that waits 4 ms when nested. */
function newTask(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The memory of a result's arrays, which is handed over rather than copied: a long trace has hundreds of megabytes. */
function buffersOf(message: Answer<unknown, unknown>): ArrayBuffer[] {
  if (!('result' in message) || typeof message.result !== 'object' || !message.result) return [];
  const { data, logits, tensors, patterns, norms } = message.result as Partial<TracedTensor & WorkerTrace & Overview>;
  const parts = [logits, patterns, norms, ...(tensors?.values() ?? [])];
  const arrays = [data, ...parts.map((tensor) => tensor?.data)];
  return [...new Set(arrays.flatMap((array) => (array ? [array.buffer as ArrayBuffer] : [])))];
}

self.onmessage = async ({ data, ports: [port] }: MessageEvent<Call>) => {
  if (!port) return;
  const abort = new AbortController();
  port.onmessage = () => abort.abort();
  const answer = (message: Answer<unknown, unknown>) => port.postMessage(message, buffersOf(message));
  try {
    const call = calls[data.name as keyof Calls] as (line: Line, ...args: unknown[]) => unknown;
    answer({ result: await call({ signal: abort.signal, send: (event) => answer({ event }) }, ...data.args) });
  } catch (error) {
    answer({ failure: packFailure(error, abort.signal.aborted) });
  }
};
