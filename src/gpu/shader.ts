import { VitrineError } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { COMPILING, Queue } from '../plan/patience.ts';
import always from './shaders/always.ts';

/** WGSL by its name below shaders/. */
const sources = new Map<string, string>();

/** Makes shaders known: a glob of their folder. */
export function addShaders(files: Readonly<Record<string, string>>): void {
  for (const [path, source] of Object.entries(files)) sources.set(path.replace(/^.*\/shaders\//, ''), source);
}

addShaders(always);

/** Those that not every program has, in files of their own: how they are called, and what fetches them. */
const others = [
  [/-(shared|lanes)\./, () => part('The shaders for real GPUs', () => import('./shaders/real.ts'))],
  [
    /^((linear|attention)-(row|tile)|(linear-)?quads|linear-registers)\./,
    () => part('The shaders for software GPUs', () => import('./shaders/software.ts')),
  ],
  [/^rotate/, () => part('The shaders for rotary positions', () => import('./shaders/rotary.ts'))],
  [
    /^(activation|attention-(mix|scores)|binary|edit|masked-softmax)\./,
    () => part('The shaders for single steps', () => import('./shaders/apart.ts')),
  ],
  [/\/|-q8/, () => part('The shaders for rounded weights', () => import('./shaders/rounded.ts'))],
] as const;

/**
 * Fetches those of these files of shaders/ that are not there yet.
 * @throws VitrineError `network`
 */
export async function fetchShaders(files: readonly string[]): Promise<void> {
  const missing = files.filter((file) => !sources.has(file));
  const wanted = others.filter(([names]) => missing.some((file) => names.test(file)));
  await Promise.all(wanted.map(async ([, fetchThem]) => addShaders((await fetchThem()).default)));
}

/** The text of a file of shaders/. */
export function sourceOf(file: string): string {
  const source = sources.get(file);
  if (source === undefined) throw new Error(`There is no shader ${file}.`);
  return source;
}

/** Compiled pipelines of a device; the same files with the same constants are compiled once. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #modules = new Map<string, Promise<GPUShaderModule>>();
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #queue = new Queue(COMPILING, 'the driver has compiled nothing');

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** @throws VitrineError `no-webgpu` with file, line and source when a shader does not compile */
  get(files: readonly string[], constants: Record<string, number>): Promise<GPUComputePipeline> {
    const names = files.join(' + ');
    const key = `${names} ${JSON.stringify(constants)}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(files, names, constants);
      this.#pipelines.set(key, pipeline);
      pipeline.catch(() => this.#pipelines.delete(key)); // asked for again, it is tried again
    }
    return pipeline;
  }

  async #compile(files: readonly string[], names: string, constants: Record<string, number>) {
    let module = this.#modules.get(names);
    if (!module) {
      module = compileModule(this.#device, files, names);
      this.#modules.set(names, module);
    }
    const compute = { module: await module, entryPoint: 'main', constants };
    try {
      const compiling = this.#device.createComputePipelineAsync({ label: names, layout: 'auto', compute });
      return await this.#queue.within(compiling);
    } catch (cause) {
      const found = `The pipeline ${names} ${JSON.stringify(constants)} failed: ${cause}`;
      throw new VitrineError('no-webgpu', found, { cause });
    }
  }
}

const ofDevices = new WeakMap<GPUDevice, Pipelines>();

/** The pipelines of a device, shared by all backends on it. */
export function pipelinesOf(device: GPUDevice): Pipelines {
  const known = ofDevices.get(device) ?? new Pipelines(device);
  ofDevices.set(device, known);
  return known;
}

async function compileModule(device: GPUDevice, files: readonly string[], names: string): Promise<GPUShaderModule> {
  await fetchShaders(files);
  const code = files.map(sourceOf).join('\n');
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: names, code });
  const [{ messages }] = await Promise.all([module.getCompilationInfo(), device.popErrorScope()]);
  const errors = messages.filter((message) => message.type === 'error');
  if (errors.length === 0) return module;
  const hint = 'The driver refuses a shader that other drivers accept; please report it with the adapter’s name.';
  throw new VitrineError('no-webgpu', errors.map((error) => locate(files, error)).join('\n'), { hint });
}

/** `shaders/binary.wgsl:12:5: message`, with the line under it. */
function locate(files: readonly string[], { lineNum, linePos, message }: GPUCompilationMessage): string {
  let line = lineNum;
  for (const name of files) {
    const lines = sourceOf(name).split('\n');
    if (line <= lines.length) return `shaders/${name}:${line}:${linePos}: ${message}\n    ${lines[line - 1] ?? ''}`;
    line -= lines.length;
  }
  return message;
}
