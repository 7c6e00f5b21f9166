import type { TracedTensor } from '../../index.ts';

interface Entry {
  tensor: Promise<TracedTensor>;
  /** 0 until it is read. */
  bytes: number;
}

/** Tensors by the reading that has them and their name, the latest used; those used longest ago are let go beyond a number of bytes. */
export class TensorCache {
  readonly #limit: number;
  /** The one used longest ago first. */
  readonly #entries = new Map<string, Entry>();
  readonly #ids = new WeakMap<object, number>();
  #lastId = 0;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A tensor that is kept, or being read; else what `read` reads. One that cannot be read is asked for anew the next time. */
  get(of: object, name: string, read: () => Promise<TracedTensor>): Promise<TracedTensor> {
    const key = `${this.#idOf(of)} ${name}`;
    const entry = this.#entries.get(key) ?? { tensor: read(), bytes: 0 };
    if (!this.#entries.has(key)) {
      entry.tensor.then(
        ({ data }) => this.#weigh(key, entry, data.byteLength),
        () => this.#drop(key, entry),
      );
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.tensor;
  }

  forget(of: object): void {
    const start = `${this.#idOf(of)} `;
    for (const [key, entry] of this.#entries) if (key.startsWith(start)) this.#drop(key, entry);
  }

  #weigh(key: string, entry: Entry, bytes: number): void {
    if (this.#entries.get(key) !== entry) return; // let go meanwhile
    entry.bytes = bytes;
    this.#bytes += bytes;
    for (const [other, one] of this.#entries) {
      if (this.#bytes <= this.#limit) return;
      if (one.bytes > 0 && one !== entry) this.#drop(other, one);
    }
  }

  #drop(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  #idOf(of: object): number {
    const id = this.#ids.get(of) ?? ++this.#lastId;
    this.#ids.set(of, id);
    return id;
  }
}
