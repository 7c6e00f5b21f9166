import { plain, relaxed } from './binary.ts';

/** What kernels/index.ts exports. */
export interface Kernels {
  run(steps: number, count: number, batch: number, scratch: number, scratchBytes: number): void;
  lead(threads: number, mayWait: boolean): void;
  runsSoFar(): number;
}

/** Chosen at run time, for what this engine can do. */
export interface Build {
  /** Relaxed SIMD: fused multiply-add. */
  relaxed: boolean;
  /** Over memory that threads share. */
  shared: boolean;
}

const known = new Map<string, boolean>();

/** Whether this engine can run a build of the kernels. A Content-Security-Policy may still forbid it. */
export function canRun(build: Build): boolean {
  if (typeof WebAssembly === 'undefined') return false;
  const key = JSON.stringify(build);
  const answer = known.get(key) ?? WebAssembly.validate(bytesOf(build));
  known.set(key, answer);
  return answer;
}

export function compile(build: Build): Promise<WebAssembly.Module> {
  return WebAssembly.compile(bytesOf(build));
}

export const environment = (memory: WebAssembly.Memory): WebAssembly.Imports => ({ env: { memory } });

function bytesOf({ relaxed: wanted, shared }: Build): Uint8Array<ArrayBuffer> {
  const binary = atob(wanted ? relaxed : plain);
  // The import section says of its memory: name, kind 2, limits 3 (a maximum, shared) or 1 (a maximum). All else is equal.
  const text = shared ? binary : binary.replace('memory\x02\x03', 'memory\x02\x01');
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
