import type { Pieces } from './store.ts';

/** The most bytes kept in memory: most of those of the requests under way, so that few are read back from the cache. */
const mostFresh = 1 << 25;

type Piece = Uint8Array<ArrayBuffer>;

/** A file on its way into the cache, to be read while it comes. */
export class Arriving {
  /** Settles when it is known whether anything comes. */
  readonly begun: Promise<void>;
  #begin = () => {};
  /** How often the download was begun, and whether what the first one brought has been read. */
  attempts = 0;
  isRead = false;
  #pieces: Pieces | undefined;
  readonly #there = new Set<number>();
  readonly #fresh = new Map<number, Piece>();
  readonly #waiting = new Map<number, () => void>();
  /** The furthest piece that has been read. */
  #reached = 0;
  #over = false;

  constructor() {
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
  }

  /** Another attempt, which this hears of if it is the first. */
  begin(pieces: Pieces): this | undefined {
    if (this.attempts++ > 0) return undefined;
    this.#pieces = pieces;
    this.#begin();
    return this;
  }

  /** A piece is in the cache, and maybe still at hand. */
  add(index: number, bytes?: Piece): void {
    this.#there.add(index);
    if (bytes) this.#fresh.set(index, bytes);
    if (this.#fresh.size * this.pieceBytes > mostFresh) this.#fresh.delete(this.#leastWanted());
    this.#wake(index);
  }

  /** What was passed over, or else what is read last. */
  #leastWanted(): number {
    const [first, last] = [Math.min(...this.#fresh.keys()), Math.max(...this.#fresh.keys())];
    return first < this.#reached ? first : last;
  }

  /** No more will come. */
  end(): void {
    this.#over = true;
    this.#begin();
    this.#fresh.clear();
    for (const index of this.#waiting.keys()) this.#wake(index);
  }

  get pieceBytes(): number {
    return this.#pieces!.size;
  }

  fresh(index: number): Piece | undefined {
    return this.#fresh.get(index);
  }

  /** A piece, once it is there; undefined if it does not come, or the cache has lost it. */
  async piece(index: number): Promise<Piece | undefined> {
    while (!this.#there.has(index)) {
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => {
        const others = this.#waiting.get(index);
        this.#waiting.set(index, () => {
          others?.();
          resolve();
        });
      });
    }
    this.#reached = Math.max(this.#reached, index);
    return this.#fresh.get(index) ?? this.#pieces?.get(index).catch(() => undefined);
  }

  #wake(index: number): void {
    this.#waiting.get(index)?.();
    this.#waiting.delete(index);
  }
}
