import { VitrineError } from '../plan/error.ts';

const PAGE = 65536;
/** Below are the words by which threads work together (kernels/threads.ts). */
const FIRST = 6144;
/** Kernels read whole vectors, up to so many bytes past the end of what they are given. */
const SLACK = 64;

/** The one memory of a backend: weights, caches and activations, which its threads share. */
export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  /** Bytes it may grow to. */
  readonly maximum: number;
  /** Bytes of each allocation by its address. */
  readonly #taken = new Map<number, number>();
  /** Free stretches below #end, in order of address. */
  #free: { at: number; bytes: number }[] = [];
  #end = FIRST;

  constructor(shared: boolean) {
    // Address space only; the pages come as it grows. Where there is less of it, less is asked for.
    for (let pages = 65536; ; pages /= 2) {
      try {
        this.memory = new WebAssembly.Memory({ initial: 1, maximum: pages, shared });
        this.maximum = pages * PAGE;
        return;
      } catch (cause) {
        if (pages > 1024) continue;
        throw new VitrineError('out-of-memory', `The browser has no WebAssembly memory to give: ${cause}.`, { cause });
      }
    }
  }

  /**
   * The address of so many bytes, all 0, on a cache line's edge.
   * @throws VitrineError `out-of-memory`; `what` is named in it
   */
  allocate(bytes: number, what: string): number {
    const size = Math.ceil((bytes + SLACK) / 64) * 64;
    const fit = this.#free.find((stretch) => stretch.bytes >= size);
    const at = fit?.at ?? this.#end;
    if (fit) {
      fit.at += size;
      fit.bytes -= size;
      new Float64Array(this.memory.buffer, at, size / 8).fill(0); // bytes of shared memory are filled one by one
    } else {
      this.#growTo(at + size, bytes, what);
      this.#end = at + size;
    }
    this.#taken.set(at, size);
    return at;
  }

  free(at: number): void {
    const bytes = this.#taken.get(at);
    if (bytes === undefined) return;
    this.#taken.delete(at);
    const joined: { at: number; bytes: number }[] = [];
    for (const stretch of [...this.#free, { at, bytes }].sort((a, b) => a.at - b.at)) {
      const last = joined.at(-1);
      if (stretch.bytes === 0) continue;
      if (last && last.at + last.bytes === stretch.at) last.bytes += stretch.bytes;
      else joined.push(stretch);
    }
    this.#free = joined;
  }

  /** Views last until the next `allocate`: memory that is not shared moves as it grows. */
  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }

  floats(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }

  words(at: number, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at, length);
  }

  #growTo(end: number, bytes: number, what: string): void {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE);
    if (missing <= 0) return;
    const megabytes = (count: number) => `${Math.ceil(count / 2 ** 20)} MB`;
    const held = [...this.#taken.values()].reduce((sum, size) => sum + size, 0);
    const fail = (why: string, cause?: unknown): never => {
      const message = `${what} needs ${megabytes(bytes)} beside the ${megabytes(held)} in use, but ${why}.`;
      const hint = 'Use a smaller dtype (q8, q4), a smaller contextLength or a smaller model.';
      throw new VitrineError('out-of-memory', message, { hint, cause });
    };
    if (end > this.maximum) fail(`WebAssembly memory ends at ${megabytes(this.maximum)}`);
    try {
      this.memory.grow(missing);
    } catch (cause) {
      fail('the system gives no more memory', cause);
    }
  }
}

/** What a program asks of memory. */
export type ProgramMemory = Pick<WasmMemory, 'allocate' | 'free' | 'bytes' | 'floats' | 'words'>;

/** Addresses with nothing behind them: what a program would take is told before it is taken. */
export function noMemory(): ProgramMemory {
  let next = FIRST;
  return {
    allocate(bytes) {
      next += bytes + 1;
      return next - bytes;
    },
    free() {},
    bytes: (_, length) => new Uint8Array(length),
    floats: (_, length) => new Float32Array(length),
    words: (_, length) => new Uint32Array(length),
  };
}
