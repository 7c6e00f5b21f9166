import type { BaseConfig, Family } from '../model/family.ts';
import type { WeightFormat, WeightRows } from '../plan/backend.ts';
import { badCheckpoint, unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { piecesOf, product, type WeightSpec } from '../plan/plan.ts';
import type { Checkpoint, Progress, StoredAs, StoredPart, TokenizerFiles } from './checkpoint.ts';
import { modelTypeOf } from './checkpoint.ts';
import { ByteReader, type Files, readText } from './files.ts';
import type { TensorLayout } from './layout.ts';
import type { Directory, Piece, StoredTensor } from './safetensors.ts';
import { readTokenizerFiles } from './tokenizer-files.ts';
import { fillValues, finestOf, inOrder, Room, transposeRows, unsound } from './values.ts';

/** Float32 bytes of one piece: it stays in a core's own cache while it is looked through, packed and laid down. */
const pieceBytes = 1 << 19;
/** A gap that is cheaper to read over than to ask anew behind it. */
const gapBytes = 1 << 20;
/** Bytes between two reports of progress. */
const reportBytes = 1 << 20;

/** The tensors that a weight is made of, by the plan's names. */
const storedNames = (weight: WeightSpec): string[] =>
  (weight.computed?.from ?? piecesOf(weight)).map(({ name }) => name);

const smallTensors = () => part('The reader of small tensors', () => import('./small-tensors.ts'));

/** A file being read, up to the end of the last tensor that is wanted of it. */
interface Stream {
  file: string;
  end: number;
  sequential: boolean;
  reader: ByteReader;
  /** For a whole tensor, and for some of its rows. */
  whole: Room;
  part: Room;
}

/** A checkpoint whose tensors are ranges of files. */
export class TensorCheckpoint<Config extends BaseConfig> implements Checkpoint<Config> {
  readonly name: string;
  config: Config;
  readonly family: Family<Config>;
  readonly bytes: number;
  readonly storedAs: StoredAs;
  readonly #files: Files;
  readonly #layout: TensorLayout;
  /** What is part of the model, by the plan's name. */
  readonly #tensors = new Map<string, StoredTensor>();
  readonly #absent: ReadonlyMap<string, VitrineError>;
  /** Some names as the file has them, for messages. */
  readonly #sample: string[];
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  /** Bytes of each tensor that progress has counted, so that reading again counts nothing twice. */
  readonly #counted = new Map<StoredTensor, number>();
  /** Files on their way into the cache, or there. */
  readonly #keeping = new Map<string, Promise<void>>();
  #loaded = 0;
  #reported = 0;
  /** The stream that the last `read` left open where it ended, for the next. */
  #open: Stream | undefined;

  constructor(
    files: Files,
    family: Family<Config>,
    config: Config,
    { tensors, absent }: Directory,
    layout: TensorLayout,
    onProgress?: (progress: Progress) => void,
  ) {
    this.name = files.name;
    this.#files = files;
    this.#layout = layout;
    this.family = family;
    this.config = config;
    this.#absent = new Map([...(absent ?? [])].map(([name, why]) => [layout.planName(name) ?? name, why]));
    this.#sample = tensors.slice(0, 3).map((tensor) => tensor.name);
    this.#onProgress = onProgress;
    for (const tensor of tensors) {
      const name = layout.planName(tensor.name);
      if (name === undefined) continue;
      const twin = this.#tensors.get(name);
      if (twin) throw badCheckpoint(`${tensor.file} holds both ${twin.name} and ${tensor.name}.`);
      this.#tensors.set(name, tensor);
    }
    // Of a tensor under several names, a file may have any.
    for (const names of family.ties(config)) {
      const found = names.map((name) => this.#tensors.get(name)).find((tensor) => tensor !== undefined);
      for (const name of names) this.#tensors.delete(name);
      if (found) this.#tensors.set(names[0]!, found);
    }
    // Heads of other tasks, and whatever else the plan does not use, are left alone.
    const used = new Set(family.plan(config).weights.flatMap(storedNames));
    for (const name of this.#tensors.keys()) if (!used.has(name) && !layout.body.test(name)) this.#tensors.delete(name);
    const all = [...this.#tensors.values()];
    const bytesOf = (dtype?: string) =>
      all.reduce((sum, tensor) => sum + (dtype && dtype !== tensor.dtype ? 0 : tensor.end - tensor.start), 0);
    const dtypes = [...new Set(all.map((tensor) => tensor.dtype))].sort((a, b) => bytesOf(b) - bytesOf(a));
    this.bytes = bytesOf();
    this.storedAs = layout.types.get(dtypes[0] ?? '')?.storedAs ?? 'other';
  }

  check(weights: readonly WeightSpec[]): WeightSpec[] {
    const stored = new Map(weights.map((weight) => [weight, this.#piecesOf(weight)]));
    const used = new Set([...stored.values()].flat().map(({ tensor }) => tensor));
    for (const [name, tensor] of this.#tensors) if (!used.has(tensor)) throw this.#superfluous(name, tensor);
    const files = [...new Set([...used].map((tensor) => tensor.file))];
    const place = (weight: WeightSpec) => stored.get(weight)![0]?.tensor;
    const fileOf = (weight: WeightSpec) => files.indexOf(place(weight)?.file ?? '');
    return [...weights].sort((a, b) => fileOf(a) - fileOf(b) || (place(a)?.start ?? 0) - (place(b)?.start ?? 0));
  }

  async settle(signal?: AbortSignal): Promise<void> {
    const tied = this.family.ties({ ...this.config, tieWordEmbeddings: true })[0] ?? [];
    const [words, head] = tied.map((name) => this.#tensors.get(name));
    if (this.#layout.transposes || !words || !head || words.dtype !== head.dtype) return;
    if (words.shape.join() !== head.shape.join()) return;
    // Most differ at once; for the rest the file is kept first, if it will be, so that nothing is fetched twice.
    const { areEqual } = await smallTensors();
    if (!(await areEqual(this.#files, words, head, 1 << 14, signal))) return;
    const inFile = [...this.#tensors.values()].filter(({ file }) => file === words.file);
    await this.#keep(words.file, inFile, signal);
    if (!(await areEqual(this.#files, words, head, words.end - words.start, signal))) return;
    this.#tensors.delete(tied[1]!);
    this.config = { ...this.config, tieWordEmbeddings: true };
    this.#report(head, head.end);
  }

  partsOf(weight: WeightSpec): StoredPart[] {
    const isTransposed = this.#isTransposed(weight);
    return this.#piecesOf(weight).map(({ name, tensor, rows, columns }) => {
      const order = this.#layout.orderOf(weight, name);
      return { name: tensor.name, planName: name, shape: tensor.shape, rows, columns, isTransposed, order };
    });
  }

  storedAsOf(weight: WeightSpec): StoredAs {
    if (weight.computed) return 'f32';
    const stored = this.#piecesOf(weight).map(({ tensor }) => this.#layout.types.get(tensor.dtype)!.storedAs);
    return finestOf(stored);
  }

  read(weight: WeightSpec, signal?: AbortSignal): AsyncGenerator<Float32Array, void> {
    return this.#read(weight, undefined, signal) as AsyncGenerator<Float32Array, void>;
  }

  readFor(format: WeightFormat, weight: WeightSpec, signal?: AbortSignal): AsyncGenerator<WeightRows, void> {
    const isAsStored = (piece: Piece) => this.#layout.types.get(piece.tensor.dtype)!.storedAs === format;
    const isCopy = format !== 'f32' && weight.kind === 'matrix' && !weight.computed;
    return this.#read(weight, isCopy && this.#piecesOf(weight).every(isAsStored) ? format : undefined, signal);
  }

  async *#read(weight: WeightSpec, asStored?: WeightFormat, signal?: AbortSignal): AsyncGenerator<WeightRows, void> {
    const pieces = this.#piecesOf(weight);
    if (weight.computed) {
      const stored: Float32Array[] = [];
      for (const piece of pieces) stored.push((await this.#whole(piece, undefined, signal)) as Float32Array);
      return yield weight.computed.values(...stored);
    }
    const vector = new Float32Array(weight.kind === 'vector' ? weight.columns : 0);
    let filled = 0;
    for (const piece of pieces) {
      const order = this.#layout.orderOf(weight, piece.name);
      const whole = order && (await this.#whole(piece, asStored, signal));
      const parts = whole
        ? [inOrder(whole, weight.kind === 'vector' ? 1 : whole.length / piece.rows, order)]
        : this.#readTensor(piece, this.#isTransposed(weight), asStored, signal);
      for await (const part of parts) {
        if (weight.kind === 'matrix') yield part;
        else {
          vector.set(part, filled);
          filled += part.length;
        }
      }
    }
    if (weight.kind === 'vector') yield vector;
  }

  /** All of a stored tensor. */
  async #whole(piece: Piece, asStored: WeightFormat | undefined, signal: AbortSignal | undefined): Promise<WeightRows> {
    const whole = new Room().rows(asStored, piece.rows * piece.columns);
    let at = 0;
    for await (const part of this.#readTensor(piece, false, asStored, signal)) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /** A stored tensor's values in rows, in pieces of whole rows. */
  async *#readTensor(
    { tensor, rows, columns }: Piece,
    isTransposed: boolean,
    asStored: WeightFormat | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<WeightRows, void> {
    const stream = await this.#streamAt(tensor, signal);
    const fill = (values: WeightRows) => this.#fill(values, asStored, stream.reader, tensor, signal);
    let complete = false;
    try {
      const whole = isTransposed ? await fill(stream.whole.rows(asStored, rows * columns)) : undefined;
      const step = Math.max(1, Math.floor(pieceBytes / 4 / columns));
      const piece = stream.part.rows(asStored, Math.min(step, rows) * columns);
      const perRow = piece.length / Math.min(step, rows);
      for (let row = 0; row < rows; row += step) {
        const part = piece.subarray(0, Math.min(step, rows - row) * perRow);
        yield whole ? transposeRows(whole, rows, row, part, columns) : await fill(part);
        signal?.throwIfAborted();
      }
      complete = true;
    } finally {
      if (complete && stream.reader.position < stream.end) {
        this.#closeStream();
        this.#open = stream;
      } else stream.reader.cancel();
    }
  }

  async text(file: string, signal?: AbortSignal): Promise<string | undefined> {
    if (this.#layout.tokenizer) return undefined; // a GGUF file is all that there is
    return readText(this.#files, file, signal);
  }

  async tensorsOf(file: string, signal?: AbortSignal): Promise<Map<string, { data: Float32Array; shape: number[] }>> {
    return (await smallTensors()).readSmallTensors(this.#files, file, signal);
  }

  async tokenizerFiles(signal?: AbortSignal): Promise<TokenizerFiles> {
    if (this.#layout.tokenizer) return this.#layout.tokenizer;
    return readTokenizerFiles(this.#files, modelTypeOf(this), signal);
  }

  async verify(): Promise<void> {
    await Promise.all(this.#keeping.values());
  }

  close(): void {
    this.#closeStream();
    this.#keeping.clear();
    this.#files.close?.();
  }

  #closeStream(): void {
    this.#open?.reader.cancel();
    this.#open = undefined;
  }

  /** The stored tensors that a weight is made of, checked, and what each is in it. */
  #piecesOf(weight: WeightSpec): Piece[] {
    const { columns, storedShape, computed } = weight;
    if (computed) {
      return computed.from.map(({ name, shape }) => {
        const columns = shape.at(-1)!;
        return { name, tensor: this.#tensor(name, shape), rows: product(shape) / columns, columns };
      });
    }
    return piecesOf(weight).map(({ name, length }) => {
      if (weight.kind === 'vector') {
        return { name, tensor: this.#tensor(name, storedShape ?? [length]), rows: 1, columns: length };
      }
      const shape = storedShape ?? (this.#isTransposed(weight) ? [columns, length] : [length, columns]);
      return { name, tensor: this.#tensor(name, shape), rows: length, columns };
    });
  }

  /** A tensor by the plan's name, checked. */
  #tensor(name: string, shape: readonly number[]): StoredTensor {
    const { types, config } = this.#layout;
    const tensor = this.#tensors.get(name);
    if (!tensor) throw this.#lacking(name, shape);
    if (tensor.shape.join() !== shape.join()) {
      const found = `${tensor.name} in ${tensor.file} has the shape [${tensor.shape}]`;
      throw badCheckpoint(`${found}; expected [${shape}] by ${config}.`);
    }
    if (!types.has(tensor.dtype)) {
      const found = `${tensor.name} in ${tensor.file} is stored as ${tensor.dtype}`;
      throw unsupportedCheckpoint(`${found}; expected one of ${[...types.keys()].join(', ')}.`);
    }
    return tensor;
  }

  #isTransposed(weight: WeightSpec): boolean {
    return weight.storedTransposed && this.#layout.transposes;
  }

  #lacking(name: string, shape: readonly number[]): VitrineError {
    const why = this.#absent.get(name);
    if (why) return why;
    const holds = `It holds ${this.#sample.join(', ') || 'no tensor'}.`;
    const hint = name === 'lm_head.weight' ? 'config.json says tie_word_embeddings is false.' : holds;
    return badCheckpoint(`${this.name} lacks the tensor ${this.#layout.fileName(name)} of shape [${shape}].`, hint);
  }

  #superfluous(name: string, tensor: StoredTensor): VitrineError {
    const layer = /(?:^|\.)(\d+)\./.exec(name)?.[1];
    if (layer !== undefined && Number(layer) >= this.config.nLayer) {
      return badCheckpoint(
        `${tensor.file} holds ${tensor.name}, but ${this.#layout.layerCount} is ${this.config.nLayer}.`,
      );
    }
    const message = `${tensor.file} holds ${tensor.name}, which no ${this.family.title} has.`;
    const hint = 'Without it the model would compute something else. If it is an adapter, merge it first.';
    return unsupportedCheckpoint(message, hint);
  }

  /** A stream of the tensor's file at its first byte: the one left open if that is near before it, else a new one. */
  async #streamAt(tensor: StoredTensor, signal: AbortSignal | undefined): Promise<Stream> {
    const { file, start } = tensor;
    let stream = this.#open;
    const gap = stream?.file === file ? start - stream.reader.position : -1;
    if (stream && gap >= 0 && (gap <= gapBytes || stream.sequential)) {
      this.#open = undefined; // a second reader at the same time opens its own
    } else {
      const others = [...this.#tensors.values()].filter((other) => other.file === file);
      void this.#keep(file, others, signal); // read while it comes; `verify` hears of what fails
      const end = others.reduce((latest, other) => Math.max(latest, other.end), start);
      const opened = await this.#files.open(file, start, end, signal);
      if (!opened) throw this.#files.missing(file);
      const reader = new ByteReader(opened.bytes, start);
      stream = { file, end, sequential: opened.sequential ?? false, reader, whole: new Room(), part: new Room() };
    }
    try {
      await stream.reader.skipTo(start, signal);
      return stream;
    } catch (error) {
      stream.reader.cancel();
      throw error;
    }
  }

  /** Brings the file into the cache. What has come counts as if it had been read from the file's beginning. */
  #keep(file: string, tensors: StoredTensor[], signal: AbortSignal | undefined): Promise<void> {
    const keeping = this.#keeping.get(file) ?? this.#tryKeeping(file, tensors, signal);
    this.#keeping.set(file, keeping);
    keeping.catch(() => {}); // told by `verify`
    return keeping;
  }

  async #tryKeeping(file: string, tensors: StoredTensor[], signal: AbortSignal | undefined): Promise<void> {
    let told = 0;
    const warning = await this.#files.keep?.(file, signal, (bytes) => {
      if (bytes < told + reportBytes) return; // of every chunk each of hundreds of tensors would hear
      told = bytes;
      for (const tensor of tensors) this.#report(tensor, Math.min(bytes, tensor.end));
    });
    if (warning) this.#onProgress?.({ stage: 'weights', loaded: this.#loaded, total: this.bytes, file, warning });
  }

  async #fill(
    values: WeightRows,
    format: WeightFormat | undefined,
    reader: ByteReader,
    tensor: StoredTensor,
    signal: AbortSignal | undefined,
  ): Promise<WeightRows> {
    await fillValues(values, this.#layout.types.get(tensor.dtype)!, async (bytes) => {
      const count = await reader.fill(bytes, signal, () => this.#report(tensor, reader.position));
      if (count < bytes.length) {
        const found = `${tensor.file} ends at byte ${reader.position}, within ${tensor.name}`;
        throw badCheckpoint(`${found}; expected byte ${tensor.end}.`, 'Fetch it again.');
      }
    });
    const found = unsound(values, format);
    if (found === undefined) return values;
    throw badCheckpoint(`${tensor.name} in ${tensor.file} holds ${found}; expected numbers.`, 'Fetch it again.');
  }

  #report(tensor: StoredTensor, position: number): void {
    const counted = this.#counted.get(tensor) ?? 0;
    const read = position - tensor.start;
    if (read <= counted) return;
    this.#counted.set(tensor, read);
    this.#loaded += read - counted;
    if (this.#loaded < this.#reported + reportBytes && this.#loaded < this.bytes) return;
    this.#reported = this.#loaded;
    this.#onProgress?.({ stage: 'weights', loaded: this.#loaded, total: this.bytes, file: tensor.file });
  }
}
