import type { WasmMemory } from './memory.ts';
import type { Kernels } from './module.ts';

/** The kernels, their memory, and the threads that run them. */
export interface Machine {
  kernels: Kernels;
  memory: WasmMemory;
  threads: number;
  name: string;
  /** What it has to do without. */
  note?: string;
  stop(): void;
}
