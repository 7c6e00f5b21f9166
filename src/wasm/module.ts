import { isNode } from '../plan/host.ts';
import { plain, relaxed } from './binary.ts';

/** A page's main thread may not sleep. */
export const mayWait = isNode() || typeof document === 'undefined';

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

/**
 * At once where a thread may block: in one opening of sixty, Firefox leaves the promise of a compile in a worker pending for
 * good. It takes some milliseconds.
 */
export async function compile(build: Build): Promise<WebAssembly.Module> {
  const bytes = bytesOf(build);
  return mayWait ? new WebAssembly.Module(bytes) : WebAssembly.compile(bytes);
}

export async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Kernels> {
  const imports = { env: { memory } };
  const instance = mayWait ? new WebAssembly.Instance(module, imports) : await WebAssembly.instantiate(module, imports);
  return instance.exports as unknown as Kernels;
}

function bytesOf({ relaxed: wanted, shared }: Build): Uint8Array<ArrayBuffer> {
  const binary = atob(wanted ? relaxed : plain);
  // The import section says of its memory: name, kind 2, limits 3 (a maximum, shared) or 1 (a maximum). All else is equal.
  const text = shared ? binary : binary.replace('memory\x02\x03', 'memory\x02\x01');
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
