import { Lent } from './lent.ts';
import type { Pieces } from './store.ts';

/** The most bytes kept in memory: most of those of the requests under way, so that few are read back from the cache. */
const mostFresh = 1 << 25;

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
  readonly #fresh = new Map<number, Lent>();
  readonly #waiting = new Map<number, () => void>();
  /** How many pieces have been read, and how many hashed, in their order. */
  #reached = 0;
  #hashed = 0;
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
  add(index: number, piece?: Lent): void {
    this.#there.add(index);
    if (piece && this.#fresh.get(index) !== piece) {
      this.#drop(index);
      this.#fresh.set(index, piece.hold());
    }
    if (this.#fresh.size * this.pieceBytes > mostFresh) this.#drop(this.#leastWanted());
    this.#wake(index);
  }

  /** What was passed over, or else what is read last. */
  #leastWanted(): number {
    const [first, last] = [Math.min(...this.#fresh.keys()), Math.max(...this.#fresh.keys())];
    return first + 1 < this.#reached ? first : last;
  }

  /** The hash of the file needs this piece no more, nor those before it. */
  passed(index: number): void {
    this.#hashed = index + 1;
    this.#dropPassed();
  }

  #dropPassed(): void {
    for (const index of this.#fresh.keys()) if (index < Math.min(this.#reached, this.#hashed)) this.#drop(index);
  }

  #drop(index: number): void {
    this.#fresh.get(index)?.release();
    this.#fresh.delete(index);
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

  /** A piece that is at hand, held. */
  fresh(index: number): Lent | undefined {
    return this.#fresh.get(index)?.hold();
  }

  /** A piece, held, once it is there; undefined if it does not come, or the cache has lost it. */
  async piece(index: number): Promise<Lent | undefined> {
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
    this.#reached = Math.max(this.#reached, index + 1);
    const fresh = this.fresh(index);
    this.#dropPassed();
    if (fresh) return fresh;
    const bytes = await this.#pieces?.get(index).catch(() => undefined);
    return bytes && new Lent(bytes);
  }

  #wake(index: number): void {
    this.#waiting.get(index)?.();
    this.#waiting.delete(index);
  }
}
