// A user's project, compiled under several TypeScripts against the packed declarations (types.ts).

import {
  type ErrorCode,
  type Inspection,
  type LanguageModel,
  type LoadOptions,
  load,
  loadEncoder,
  type Model,
  VitrineError,
} from 'vitrine';
import { vitrine } from 'vitrine/ai-sdk';
import { directLogitAttribution, logitLens, nearestTokens } from 'vitrine/analysis';
import { type APIError, type Completion as OpenAICompletion, openai, openaiFetch } from 'vitrine/openai';
import { type UsedModel, useModel } from 'vitrine/react';
import { EngineWorker, type WorkerModel, WorkerVision } from 'vitrine/worker';
import 'vitrine/engine';

/** Code that takes a model of this thread or of a worker. */
export async function write(model: LanguageModel, prompt: string): Promise<string> {
  const ids: number[] = await model.tokenizer.encode(prompt);
  let text = '';
  for await (const token of model.generate(ids, { maxNewTokens: 8, temperature: 0.8, seed: 1 })) text += token.text;
  const { data, shape } = await model.logits(ids, { positions: [-1] });
  const trace = await model.trace(prompt, { capture: ['blocks.*.attn.hook_pattern'], edits: [] });
  const pattern: Float32Array | undefined = trace.get('blocks.0.attn.hook_pattern')?.data;
  for (const [name, tensor] of trace) text += `${name} ${tensor.shape.join()}`;
  const stream = model.tokenizer.stream();
  text += (await stream.push(ids[0]!)) + (await stream.flush());
  const rows: [number, number][] = model.weights().map((weight) => weight.shape);
  return `${text} ${data.length} ${shape[1]} ${pattern?.length} ${rows.length} ${model.device.kind} ${model.config.nLayer}`;
}

export async function both(options: LoadOptions): Promise<void> {
  const model: Model = await load('openai-community/gpt2', {
    ...options,
    dtype: 'q8',
    onProgress: ({ stage }) => stage,
  });
  const engine = new EngineWorker();
  const there: WorkerModel = await engine.load('openai-community/gpt2', { device: 'auto' });
  await write(model, 'Once');
  await write(there, 'Once');
  const ids: number[] = model.tokenizer.encode('Once'); // no promise on this thread
  const processor = (logits: Float32Array) => logits.fill(0);
  await model.complete(ids, { logitsProcessors: [processor] });
  await logitLens(there, 'Once');
  await nearestTokens(model, 3, 5);
  await directLogitAttribution(model, 'Once', { token: 3 });
  await there.lens(ids, 3);
  model.dispose();
  await there.dispose();
  await there[Symbol.asyncDispose]();
}

/** Every family, here and in a worker. */
export async function families(engine: EngineWorker): Promise<string> {
  const encoders = [await loadEncoder('a'), await engine.loadEncoder('a', { dtype: 'q8' })];
  const vectors: Float32Array[] = (await Promise.all(encoders.map((one) => one.embed(['one'])))).flat();
  const translator = await engine.loadEncoderDecoder('b');
  for await (const { text } of translator.generate('one', { numBeams: 1 })) vectors.length = text.length;
  const target: number[] = await (translator.tokenizer.target ?? translator.tokenizer).encode('one');
  const vision = await engine.loadVision('c');
  const [best]: { label: string; score: number }[] = await vision.classify('image.png', { topK: 1 });
  const isVision: boolean = vision instanceof WorkerVision;
  const unmask = await engine.pipeline('fill-mask', 'a', { dtype: 'fp16' });
  await unmask('a [MASK]', { top_k: 2 });
  const { heads }: Inspection = await engine.inspect('a');
  return `${vectors.length} ${target.length} ${best?.label} ${isVision} ${unmask.model.config.nLayer} ${heads.join()}`;
}

/** The faces take a model of either kind. */
export async function faces(model: LanguageModel): Promise<string> {
  const client = openai(model, { id: 'tiny' });
  const completion: OpenAICompletion = await client.completions.create({ prompt: 'Once', n: 2, seed: null });
  let text = completion.choices[0]!.text;
  for await (const { choices } of await client.completions.create({ prompt: ['Once'], stream: true })) {
    text += choices[0]!.text;
  }
  const answer: Response = await openaiFetch(model)('http://local/v1/models');
  const language = vitrine(model);
  const { content } = await language.doGenerate({ prompt: [{ role: 'system', content: 'Once' }] });
  const used: UsedModel = useModel('openai-community/gpt2', { dtype: 'q8' });
  if (used.status === 'ready') text += used.model.device.kind;
  const refused: APIError['status'] = 400;
  return `${text} ${content[0]!.text} ${language.modelId} ${refused} ${String(answer)}`;
}

export function told(error: unknown): ErrorCode | undefined {
  return error instanceof VitrineError ? (error.toJSON().code ?? error.code) : undefined;
}

// @ts-expect-error: an option that there is not
export const wrong: LoadOptions = { devise: 'cpu' };
// @ts-expect-error: what a worker cannot be given
export const functions = new EngineWorker().load('x', { fetch: 1 });
