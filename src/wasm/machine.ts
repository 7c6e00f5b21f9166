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
  /** Resolves with the reason when a thread has trapped: the machine runs nothing any more. */
  lost: Promise<string>;
  stop(): void;
}
