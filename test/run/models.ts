import { createCpuBackend } from '../../src/cpu/backend.ts';
import { openCheckpoint } from '../../src/load/open.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { Backend } from '../../src/plan/backend.ts';
import { VitrineError } from '../../src/plan/error.ts';
import { type Attempt, Engine, type EngineOptions } from '../../src/run/engine.ts';
import { loadCheckpoint } from '../../src/run/load.ts';
import type { LoadOptions } from '../../src/run/loading.ts';
import { Model } from '../../src/run/model.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { sharedDevice } from '../backends.ts';
import { readFixture } from '../fixtures.ts';
import { type TinyOptions, tinyCheckpoint, tinyFiles } from '../load/tiny-checkpoint.ts';
import { randomValues } from '../ops/mini-plan.ts';

async function fileOf(path: string, name = path.slice(path.lastIndexOf('/') + 1)): Promise<File> {
  return new File([new Uint8Array(await readFixture(path))], name);
}

/** The fixture's files, as `load` takes them. */
export async function fixtureFiles(folder: 'tiny-gpt2' | 'nano-sort', weights = 'model.safetensors'): Promise<File[]> {
  const files = [fileOf(`${folder}/config.json`), fileOf(`${folder}/${weights}`, 'model.safetensors')];
  if (folder === 'tiny-gpt2') files.push(fileOf(`${folder}/tokenizer.json`));
  return Promise.all(files);
}

/** Options of a load, by default on the CPU. `webgpu` is the device that the tests share, unless `ownGpu`. */
export interface OpenOptions extends LoadOptions {
  ownGpu?: boolean;
}

async function openModel(files: File[], { ownGpu = false, ...options }: OpenOptions, chunk?: number): Promise<Model> {
  const device = options.device === 'webgpu' && !ownGpu ? await sharedDevice() : (options.device ?? 'cpu');
  return loadCheckpoint(await openCheckpoint(files), { ...options, device }, chunk);
}

export async function openFixture(
  folder: 'tiny-gpt2' | 'nano-sort',
  options: OpenOptions = {},
  chunk?: number,
): Promise<Model> {
  return openModel(await fixtureFiles(folder), options, chunk);
}

/** A model of random weights: 12 positions and 16 words unless told otherwise, decided enough to have distinct logits. */
export async function openTiny(shape: TinyOptions = {}, options: OpenOptions = {}, chunk?: number): Promise<Model> {
  const made = tinyCheckpoint({ nLayer: 2, nCtx: 12, ...shape });
  let seed = 1;
  for (const tensor of made.tensors.values()) {
    const values = randomValues(tensor.bytes.length / 4, seed++);
    tensor.bytes = new Uint8Array(values.buffer as ArrayBuffer);
  }
  return openModel(tinyFiles(made), options, chunk);
}

/**
 * tiny-gpt2 on CPU backends that can be lost, each as often as wanted. `before` is called before each is opened, with
 * what the engine says of it, and may throw what a platform would say; `onRun` before each run.
 */
export async function openFragile({
  chunk = 4,
  before = (_: Attempt): unknown => undefined,
  onRun = (_: Fragile): void => {},
  ...options
}: {
  chunk?: number;
  before?: (attempt: Attempt) => unknown;
  onRun?: (backend: Fragile) => void;
} & Partial<EngineOptions> = {}) {
  const checkpoint = await openCheckpoint(await fixtureFiles('tiny-gpt2'));
  const plan = gpt2Plan(checkpoint.config);
  const opened: Fragile[] = [];
  const open = async (attempt: Attempt) => {
    before(attempt);
    const backend = fragile(createCpuBackend(), onRun);
    for (const weight of plan.weights) await backend.backend.addWeight(weight, 'f32', checkpoint.read(weight));
    opened.push(backend);
    return backend.backend;
  };
  const engine = await Engine.open({ plan, context: plan.nCtx, open, reopens: true, chunk, ...options });
  const tokenizer = await loadTokenizer(await checkpoint.tokenizerFiles(), plan.vocabSize);
  return {
    model: new Model(checkpoint.config, { tokenizer, chatTemplates: async () => new Map() }, engine, {
      dtype: 'f32',
      reason: 'asked for',
    }),
    opened,
  };
}

export interface Fragile {
  backend: Backend;
  lose(reason: string): void;
}

/** A backend whose runs fail once it is lost; the loss is told a little later than the first failure. */
export function fragile(inner: Backend, onRun: (backend: Fragile) => void): Fragile {
  let gone = false;
  let tell: (reason: string) => void = () => {};
  const lost = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const check = () => {
    if (gone) throw new VitrineError('device-lost', 'The device was lost.');
  };
  const program: Backend['program'] = async (...args) => {
    check();
    const made = await inner.program(...args);
    const run: typeof made.run = async (batch) => {
      onRun(self);
      check();
      const result = await made.run(batch);
      check();
      return result;
    };
    return {
      size: made.size,
      bytes: made.bytes,
      run,
      profile: (...args) => made.profile(...args),
      copySlots: (...moves) => made.copySlots(...moves),
      dispose: () => made.dispose(),
    };
  };
  const backend: Backend = {
    ...inner,
    lost,
    program,
    addWeight: (...args) => inner.addWeight(...args),
    dispose: () => inner.dispose(),
  };
  const self: Fragile = {
    backend,
    lose(reason) {
      gone = true;
      setTimeout(() => tell(reason), 5);
    },
  };
  return self;
}
