import type { Backend, WeightFormat } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import type { WeightSpec } from '../plan/plan.ts';
import { WasmMemory } from './memory.ts';
import { canRun, compile, environment, type Kernels } from './module.ts';
import { WasmProgram } from './program.ts';
import { availableThreads, mayWait, startThreads } from './threads.ts';
import { readWeight, type WasmWeight } from './weights.ts';

export interface WasmOptions {
  /** Threads that work on a run, the calling one included. Default: those of the machine, or 1 where memory cannot be shared. */
  threads?: number;
  /** Relaxed SIMD (fused multiply-add). Default: where there is. */
  relaxed?: boolean;
}

/** Whether WebAssembly with 128-bit SIMD is here; a Content-Security-Policy without `wasm-unsafe-eval` may still forbid it. */
export function wasmSupported(): boolean {
  return canRun({ relaxed: false, shared: false });
}

/** Whether it is here with fused multiply-add. */
export function relaxedSupported(): boolean {
  return canRun({ relaxed: true, shared: false });
}

/**
 * The WebAssembly backend.
 * @throws VitrineError `bad-option` where WebAssembly SIMD, or what the options ask for, is not to be had; `out-of-memory`
 */
export async function createWasmBackend(options: WasmOptions = {}): Promise<Backend> {
  let machine: Machine | undefined = await startMachine(options);
  const weights = new Map<string, WasmWeight>();
  const programs = new Set<WasmProgram>();
  const running = (): Machine => {
    if (!machine) throw new VitrineError('disposed', 'The WebAssembly backend was disposed.');
    return machine;
  };
  return {
    kind: 'wasm',
    adapter: machine.name,
    lost: new Promise(() => {}),
    get bytes() {
      return [...weights.values()].reduce((sum, weight) => sum + weight.bytes, 0);
    },
    /** What is left is for caches and activations. */
    capacity: 0.75 * machine.memory.maximum,
    async addWeight(spec: WeightSpec, format: WeightFormat, pieces: AsyncIterable<Float32Array>) {
      const weight = await readWeight(running().memory, spec, spec.kind === 'vector' ? 'f32' : format, pieces);
      const { memory } = running();
      const former = weights.get(spec.name);
      if (former) memory.free(former.values);
      weights.set(spec.name, weight);
    },
    async program(plan, size, capture = new Set()) {
      const program = new WasmProgram(running(), plan, size, capture, weights, (gone) => programs.delete(gone));
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

/** The kernels, their memory, and the threads that run them. */
export interface Machine {
  kernels: Kernels;
  memory: WasmMemory;
  threads: number;
  name: string;
  stop(): void;
}

async function startMachine({ threads: wanted, relaxed = relaxedSupported() }: WasmOptions): Promise<Machine> {
  const threads = checkedThreads(wanted);
  const shared = threads > 1;
  if (!canRun({ relaxed, shared })) {
    throw new VitrineError('bad-option', `This engine has no WebAssembly with ${relaxed ? 'relaxed ' : ''}SIMD.`, {
      hint: "Use device: 'cpu', or a newer browser.",
    });
  }
  const module = await compile({ relaxed, shared }).catch((cause: unknown) => {
    throw new VitrineError('bad-option', `WebAssembly is forbidden here: ${cause}.`, {
      hint: "Add 'wasm-unsafe-eval' to script-src of the Content-Security-Policy, or use device: 'cpu'.",
      cause,
    });
  });
  const memory = new WasmMemory(shared);
  const instance = await WebAssembly.instantiate(module, environment(memory.memory));
  const kernels = instance.exports as unknown as Kernels;
  kernels.lead(threads, mayWait);
  const stop = shared ? await startThreads(threads, module, memory.memory, kernels) : () => {};
  const name = `WebAssembly ${relaxed ? 'relaxed ' : ''}SIMD, ${threads} thread${threads > 1 ? 's' : ''}`;
  return { kernels, memory, threads, name, stop };
}

function checkedThreads(wanted: number | undefined): number {
  const available = availableThreads();
  if (wanted === undefined) return available;
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw new VitrineError('bad-option', `threads is ${wanted}; expected a whole number from 1.`);
  }
  if (wanted > 1 && available === 1 && !globalThis.crossOriginIsolated && typeof document !== 'undefined') {
    throw new VitrineError('bad-option', `threads is ${wanted}, but this page is not cross-origin isolated.`, {
      hint: 'Serve it with Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy, or leave threads out.',
    });
  }
  return wanted;
}
