import type { Edit, LoadOptions, Model } from '../../src/index.ts';

/** What the second WGSL compiler is given. `vendor`: kernels as for a GPU of theirs, in place of those for a software one. */
export interface Choice {
  dtype: NonNullable<LoadOptions['dtype']>;
  kv?: 'f32' | 'f16' | 'q8';
  vendor?: string;
  /** Nothing is run: only the pipelines are compiled that loading a model asks for. */
  compileOnly?: boolean;
}

export interface Compared {
  adapter: string;
  /** Files of every module that was compiled, as `batch.wgsl + weights/q8.wgsl + linear.wgsl`. */
  shaders: string[];
  /** How many were compiled. */
  pipelines: number;
  errors: string[];
  /** Largest distance from the CPU's, relative to its largest value: of logits, of any tensor of a trace, of both after edits. */
  logits?: number;
  traced?: number;
  edited?: number;
  /** Greedy tokens, sampled tokens, and ranks of a score, on either. */
  drawn?: [webgpu: number[], cpu: number[]];
}

/** Runs in a page that has the built library as `vitrine`: everything that has a kernel, on WebGPU and on the CPU. */
export async function compare(source: string, { dtype, kv = 'f32', vendor, compileOnly }: Choice): Promise<Compared> {
  const { load } = (globalThis as unknown as { vitrine: { load: typeof import('../../src/index.ts').load } }).vitrine;
  const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
  const told = { vendor, architecture: '', device: '', description: '', isFallbackAdapter: vendor === 'swiftshader' };
  if (vendor) Object.defineProperty(device, 'adapterInfo', { value: told });
  const shaders: string[] = [];
  const errors: string[] = [];
  const pipelines: Promise<unknown>[] = [];
  device.onuncapturederror = ({ error }) => errors.push(error.message);
  const [makeModule, makePipeline] = [device.createShaderModule, device.createComputePipelineAsync];
  device.createShaderModule = (descriptor) => {
    shaders.push(descriptor.label!);
    return makeModule.call(device, descriptor);
  };
  device.createComputePipelineAsync = (descriptor) => {
    const made = makePipeline.call(device, descriptor);
    pipelines.push(made);
    return made;
  };

  const text = 'Once upon a time there was a little girl who '.repeat(2);
  const edits: Edit[] = [
    { name: 'blocks.0.hook_resid_post', scale: 0.5, position: 1 },
    { name: 'blocks.1.attn.hook_pattern', set: 0, head: 1 },
    { name: 'blocks.1.attn.hook_z', add: 0.25, head: 0 },
  ];
  const run = async (model: Model) => {
    const whole = { logits: { data: (await model.logits(text)).data }, ...(await tracedBy(model, [])) };
    const greedy = await model.complete(text, { temperature: 0, maxNewTokens: 12, repetitionPenalty: 1.2 });
    const sampling = { seed: 5, temperature: 0.9, topK: 50, topP: 0.9, minP: 0.01, topLogprobs: 3, maxNewTokens: 12 };
    const sampled = await model.complete(text, sampling);
    const { ranks } = await model.score(text);
    return {
      whole,
      edited: await tracedBy(model, edits),
      drawn: [...greedy.ids, ...sampled.ids, ...ranks.map(Number)],
    };
  };
  const tracedBy = async (model: Model, edits: Edit[]) => {
    const trace = await model.trace(text, { capture: ['*'], edits });
    return Object.fromEntries([['last', trace.logits], ...trace]);
  };
  type Tensors = Record<string, { data: ArrayLike<number> }>;
  const distance = (found: Tensors, expected: Tensors, names = Object.keys(expected)) => {
    let worst = 0;
    for (const name of names) {
      const [a, b] = [found[name]!.data, expected[name]!.data];
      let [far, size] = [a.length === b.length ? 0 : Number.POSITIVE_INFINITY, 1e-3];
      for (let i = 0; i < b.length; i++) {
        if (a[i] === b[i] || !Number.isFinite(b[i]!)) continue;
        const off = Math.abs(a[i]! - b[i]!);
        far = Math.max(far, Number.isNaN(off) ? Number.POSITIVE_INFINITY : off);
        size = Math.max(size, Math.abs(b[i]!));
      }
      worst = Math.max(worst, far / size);
    }
    return worst;
  };
  const model = await load(source, { device, dtype, kv, tune: false, cache: false });
  if (compileOnly) {
    for (let done = 0; done < pipelines.length; done = pipelines.length) await Promise.all(pipelines);
    model.dispose();
    device.destroy();
    return { adapter: model.device.adapter, shaders: [...new Set(shaders)], pipelines: pipelines.length, errors };
  }
  const reference = await load(source, { device: 'cpu', dtype, cache: false });
  const [found, expected] = [await run(model), await run(reference)];
  model.dispose();
  reference.dispose();
  device.destroy();
  return {
    adapter: model.device.adapter,
    shaders: [...new Set(shaders)],
    pipelines: pipelines.length,
    errors,
    logits: distance(found.whole, expected.whole, ['logits']),
    traced: distance(found.whole, expected.whole),
    edited: distance(found.edited, expected.edited),
    drawn: [found.drawn, expected.drawn],
  };
}
