type Piece = Uint8Array<ArrayBuffer>;

/** Memory of pieces that is used again: fresh pages cost as much as what is done with them, and browsers collect garbage later than it comes. */
export class PieceMemory {
  readonly size: number;
  readonly #free: ArrayBuffer[] = [];

  /** @param size bytes of each piece but the last */
  constructor(size: number) {
    this.size = size;
  }

  take(length = this.size): Piece {
    return new Uint8Array((length === this.size && this.#free.pop()) || new ArrayBuffer(length));
  }

  /** Takes memory back that nobody reads any more. */
  give({ buffer }: Piece): void {
    if (buffer.byteLength === this.size) this.#free.push(buffer);
  }
}

/** Bytes that several read, each as long as it holds them: then their memory goes back to where it is from. */
export class Lent {
  readonly bytes: Piece;
  readonly #memory: PieceMemory | undefined;
  #holders = 1;

  /** @param memory where it is from; without, it is left to be collected */
  constructor(bytes: Piece, memory?: PieceMemory) {
    this.bytes = bytes;
    this.#memory = memory;
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders === 0) this.#memory?.give(this.bytes);
  }
}
