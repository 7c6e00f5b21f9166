import type { Backend, ProgramSize, WeightFormat, WeightRows } from '../plan/backend.ts';
import { badOption, VitrineError } from '../plan/error.ts';
import type { KvFormat } from '../plan/kv.ts';
import { part } from '../plan/part.ts';
import { COMPILING, within } from '../plan/patience.ts';
import { learns, type Plan, type WeightSpec } from '../plan/plan.ts';
import type { Machine } from './machine.ts';
import { noMemory, WasmMemory } from './memory.ts';
import { type Build, environment, failureIn, type Kernels, kernelsOf, relaxedSupported } from './module.ts';
import { type Adjoints, WasmProgram } from './program.ts';
import { mayWait, startKernelThreads, usefulThreads, whyAlone } from './threads.ts';
import { readWeight, setWeight, type WasmWeight } from './weights.ts';

export interface WasmOptions {
  /**
   * Threads that work on a run, the calling one included. Default: those of the machine. Where they cannot be had it is one,
   * and the backend's `note` says why.
   */
  threads?: number | undefined;
  /** How keys and values are kept, f32 by default; others need heads whose width is a multiple of 4. */
  kv?: KvFormat;
  /** Relaxed SIMD (fused multiply-add). Default: where there is. */
  relaxed?: boolean;
  /** Whether many rows are multiplied with q8 and q4 weights by 8-bit products; relaxed SIMD alone has them. Default: where they are fast. */
  i8Products?: boolean;
}

/**
 * The WebAssembly backend.
 * @throws VitrineError `bad-option` where WebAssembly SIMD, or what the options ask for, is not to be had; `out-of-memory`
 */
export async function createWasmBackend({ kv = 'f32', ...options }: WasmOptions = {}): Promise<Backend> {
  let machine: Machine | undefined = await startMachine(options);
  const weights = new Map<string, WasmWeight>();
  const programs = new Set<WasmProgram>();
  const running = (): Machine => {
    if (!machine) throw new VitrineError('disposed', 'The WebAssembly backend was disposed.');
    return machine;
  };
  /** Those of a plan, with what it adds, which may not be here yet. */
  const weightsOf = (plan: Plan) => {
    const added = (plan.added ?? []).map(({ spec }) => spec);
    const coming = added.map((spec): WasmWeight => ({ spec, format: 'f32', values: 0, scales: 0, bytes: 0 }));
    return new Map([...coming.map((weight) => [weight.spec.name, weight] as const), ...weights]);
  };
  /** A program whose memory is told and not taken. */
  const nothingBehind = (...[plan, size, capture, adjoints]: [Plan, ProgramSize, ReadonlySet<string>, Adjoints?]) =>
    new WasmProgram({ ...running(), memory: noMemory() }, plan, size, capture, weightsOf(plan), kv, () => {}, adjoints);
  return {
    kind: 'wasm',
    adapter: machine.name,
    threads: machine.threads,
    note: machine.note,
    lost: machine.lost,
    get bytes() {
      return [...weights.values()].reduce((sum, weight) => sum + weight.bytes, 0);
    },
    /** What is left is for caches and activations. */
    capacity: 0.75 * machine.memory.maximum,
    async addWeight(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<WeightRows>) {
      const weight = await readWeight(running(), spec, spec.kind === 'vector' ? 'f32' : format, pieces);
      const { memory } = running();
      const former = weights.get(spec.name);
      if (former) memory.free(former.values);
      weights.set(spec.name, weight);
    },
    setWeight(name, values) {
      setWeight(running(), weights.get(name)!, values);
    },
    removeWeights(names) {
      for (const name of names) {
        const weight = weights.get(name);
        if (weight) machine?.memory.free(weight.values);
        weights.delete(name);
      }
    },
    programBytes: (plan, size) => nothingBehind(plan, size, new Set()).bytes,
    async bytesOf(plan, size, capture) {
      return nothingBehind(plan, size, capture, await adjointsOf(plan)).bytes;
    },
    async program(plan, size, capture = new Set()) {
      const adjoints = await adjointsOf(plan);
      const onDispose = (gone: WasmProgram) => programs.delete(gone);
      const program = new WasmProgram(running(), plan, size, capture, weights, kv, onDispose, adjoints);
      programs.add(program);
      return program;
    },
    dispose() {
      for (const program of programs) program.dispose();
      weights.clear();
      machine?.stop();
      machine = undefined; // the memory goes with it
    },
  };
}

const adjointsOf = async (plan: Plan): Promise<Adjoints | undefined> =>
  learns(plan) ? part('What differentiates in WebAssembly', () => import('./adjoint.ts')) : undefined;

/** Begins what a backend with these options needs first: to be had while its model's files come. */
export async function compileKernels({ threads = usefulThreads() }: WasmOptions): Promise<void> {
  await compiled({ relaxed: relaxedSupported(), shared: threads > 1 && whyAlone() === undefined });
}

async function startMachine(options: WasmOptions): Promise<Machine> {
  const { threads: wanted } = options;
  if (wanted !== undefined && (!Number.isInteger(wanted) || wanted < 1)) {
    throw badOption(`threads is ${wanted}; expected a whole number from 1.`);
  }
  const threads = wanted ?? usefulThreads();
  let why = threads > 1 ? whyAlone() : undefined;
  if (threads > 1 && why === undefined) {
    try {
      return await assemble(threads, options);
    } catch (error) {
      if (error instanceof VitrineError) throw error;
      why = `no others started: ${(error as Error).message}`;
    }
  }
  // The memory of threads that failed may still be in one's hands: this one has its own.
  return { ...(await assemble(1, options)), note: why && `one thread, because ${why}` };
}

/** The kernels by their build, compiled once for all models of a thread. */
const modules = new Map<string, Promise<WebAssembly.Module>>();

function compiled(build: Build): Promise<WebAssembly.Module> {
  const name = JSON.stringify(build);
  const module = modules.get(name) ?? compile(build);
  modules.set(name, module);
  module.catch(() => modules.delete(name)); // whoever asks next has another try
  return module;
}

/** @throws VitrineError where there is no such WebAssembly, or none at all */
async function compile({ relaxed, shared }: Build): Promise<WebAssembly.Module> {
  const bytes = await kernelsOf({ relaxed, shared });
  if (!bytes) {
    const found = `This engine has no WebAssembly with ${relaxed ? 'relaxed ' : ''}SIMD.`;
    throw badOption(found, "Use device: 'cpu', or a newer browser.");
  }
  const compiling = within(COMPILING, WebAssembly.compile(bytes), 'nothing has come of compiling');
  const hint = "Add 'wasm-unsafe-eval' to script-src of the Content-Security-Policy, or use device: 'cpu'.";
  return compiling.catch((cause: unknown) => {
    throw badOption(`WebAssembly is forbidden here: ${cause}.`, hint, cause);
  });
}

/** @throws VitrineError where there is no such machine, another error where its threads do not start */
async function assemble(threads: number, options: WasmOptions): Promise<Machine> {
  const { relaxed = relaxedSupported(), i8Products } = options;
  const shared = threads > 1;
  const module = await compiled({ relaxed, shared });
  const memory = new WasmMemory(shared);
  const starting = WebAssembly.instantiate(module, environment(memory.memory));
  const instance = await within(COMPILING, starting, 'nothing has come of starting the WebAssembly module');
  const { lost, kernels } = guarded(instance.exports as unknown as Kernels, memory.memory);
  kernels.lead(threads, mayWait, i8Products === undefined ? -1 : +i8Products);
  const stop = shared ? await startKernelThreads(threads, module, memory.memory, kernels) : () => {};
  const name = `WebAssembly ${relaxed ? 'relaxed ' : ''}SIMD, ${threads} thread${threads > 1 ? 's' : ''}`;
  return { kernels, memory, threads, name, lost, stop };
}

/** Kernels whose first trap, in whichever thread, is the last thing that they do: others may wait for good where they were. */
function guarded(kernels: Kernels, memory: WebAssembly.Memory): Pick<Machine, 'kernels' | 'lost'> {
  let failure: VitrineError | undefined;
  let tell: (why: string) => void = () => {};
  const lost = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const run: Kernels['run'] = (...work) => {
    if (failure) throw failure;
    try {
      kernels.run(...work);
    } catch (cause) {
      const why = failureIn(memory) ?? String(cause);
      failure = new VitrineError('device-lost', `WebAssembly failed and cannot go on: ${why}.`, {
        hint: 'Load the model again; if it happens again, please report it.',
        cause,
      });
      tell(failure.message);
      throw failure;
    }
  };
  return { kernels: { ...kernels, run }, lost };
}
