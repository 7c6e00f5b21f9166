import { type Pixels, preprocess } from '../image/preprocess.ts';
import type { ImageSettings } from '../image/settings.ts';
import type { ImageSource } from '../image/source.ts';
import type { VisionConfig } from '../model/vit.ts';
import type { Edit } from '../plan/edit.ts';
import { badOption } from '../plan/error.ts';
import { tensorNamed } from '../plan/lens-names.ts';
import { product, shapeOf } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import { checkOptions, integer, isSignal, quote } from './check.ts';
import { bestClasses, type ClassifyOptions, type ClassScore, classChecks } from './classify.ts';
import { EncoderRuns, type EncoderText, profileText, traceChecks, traceText } from './encode.ts';
import type { Engine } from './engine.ts';
import { type Insides, insides } from './insides.ts';
import type { ProfileOptions } from './language-model.ts';
import { Loaded, type Tensor } from './loaded.ts';
import type { Chosen } from './loading.ts';
import { positionsIn, type TraceOptions } from './trace.ts';
import { Trace } from './traced.ts';
import { trainedHeads } from './trained-heads.ts';

/** An image, or the numbers that `preprocess` makes of one: [channels, height, width], normalised. */
export type VisionInput = ImageSource | { pixels: Float32Array; shape: readonly number[] };

/** What an image encoder makes of an image. */
export interface VisionResult {
  /** [rows, nEmbd] after the final norm: the class token's row (and DeiT's distillation token's), then the patches'. */
  hidden: Tensor;
  /** [labels]; empty where the model has no head. */
  logits: Tensor;
}

export type ClassifyImageOptions = Pick<ClassifyOptions, 'topK' | 'scores' | 'signal'>;

/** The tensor that only patches have. */
export const patches = 'embed.hook_embed';

/** A loaded image encoder: ViT or DeiT. */
export class Vision extends Loaded<VisionConfig> {
  readonly processor: ImageSettings;
  readonly #runs: EncoderRuns;
  readonly #hidden: string;

  /** @internal `loadVision` makes them. */
  constructor(config: VisionConfig, processor: ImageSettings, engine: Engine, chosen: Chosen) {
    super(config, engine, chosen);
    this.processor = processor;
    this.#runs = new EncoderRuns(engine);
    this.#hidden = engine.plan.aliases.get('hidden')!;
  }

  /**
   * An image as the model reads it: resized, cropped, rescaled and normalised as the files say.
   * @throws VitrineError `bad-option` for what is no image, `network`; the signal's reason when it aborts
   */
  async preprocess(image: ImageSource, options: { signal?: AbortSignal } = {}): Promise<Pixels> {
    this.engine.alive();
    checkOptions('preprocess', options, { signal: isSignal });
    return preprocess(image, this.processor, options);
  }

  /**
   * Hidden states and logits of an image.
   * @throws VitrineError `bad-option`, `network`, `device-lost`, `disposed`; the signal's reason when it aborts
   */
  async run(input: VisionInput, options: { signal?: AbortSignal } = {}): Promise<VisionResult> {
    this.engine.alive();
    checkOptions('run', options, { signal: isSignal });
    const { labels, distilled } = this.config;
    const rows = await this.#rowsOf(input, options.signal);
    const wanted = {
      capture: [this.#hidden, ...(distilled ? ['distilled'] : [])],
      ...(labels.length > 0 && { logitRows: () => (distilled ? [0, 1] : [0]) }),
    };
    const [found] = await this.#runs.run([rows], wanted, options.signal, (encoded) => encoded);
    const data = found!.captured.get(this.#hidden)!;
    const hidden = { data, shape: [rows.length, data.length / rows.length] };
    return this.proved({ hidden, logits: this.#logits(found!.logits, found!.captured.get('distilled')) });
  }

  /** The classes that an image is most likely of, best first: 5 unless told otherwise. Those of a head that an adapter brought, if one did. */
  async classify(input: VisionInput, options: ClassifyImageOptions = {}): Promise<ClassScore[]> {
    this.engine.alive();
    checkOptions('classify', options, { ...classChecks, signal: isSignal });
    const { topK = 5, scores, ...rest } = options;
    if (this.engine.plan.head) {
      const { classifyByHead } = await trainedHeads();
      return this.proved((await classifyByHead(this[insides], [input], { ...options, topK }))[0]!);
    }
    needClasses(this.config);
    const { data } = (await this.run(input, rest)).logits;
    return bestClasses(this.config, Float64Array.from(data), { topK, ...(scores && { scores }) });
  }

  /** What stands for the whole image: the class token after the final norm, [nEmbd]. */
  async features(input: VisionInput, options: { signal?: AbortSignal } = {}): Promise<Float32Array> {
    const { data } = (await this.run(input, options)).hidden;
    return data.slice(0, this.config.nEmbd);
  }

  /**
   * The intermediate tensors of one run over an image, optionally edited on the way, and the logits. Positions count the tokens
   * before the patches too, but for `embed.hook_embed`, which is of the patches alone.
   */
  async trace(input: VisionInput, options: TraceOptions = {}): Promise<Trace> {
    this.engine.alive();
    checkOptions('trace', options, traceChecks);
    const rows = await this.#rowsOf(input, options.signal);
    const { plan } = this.engine;
    const { labels, nPrefix, distilled } = this.config;
    const logitRows = labels.length === 0 ? [] : distilled ? [0, 1] : [0];
    const { names, found } = await traceText(this.engine, rows, options, logitRows, {
      kept: distilled ? ['distilled'] : [],
      moved: (edit) => (tensorNamed(plan, edit.name) === patches ? ofPatches(edit, rows.length, nPrefix) : edit),
    });
    const whole = (name: string): Tensor => {
      const data = found.get(name)!;
      const sizes = { rows: rows.length, logitRows: logitRows.length, context: rows.length, source: 0 };
      const shape = shapeOf(plan.tensors.get(name)!, sizes);
      if (name !== patches) return { data, shape };
      return { data: data.slice(nPrefix * shape[1]!), shape: [shape[0]! - nPrefix, shape[1]!] };
    };
    const logits = this.#logits(found.get('logits')!, found.get('distilled'));
    const traced = names.map(([asked, name]): [string, Tensor] => [asked, whole(name)]);
    return this.proved(new Trace([], logits, labels.length > 0 ? [...traced, ['logits', logits]] : traced));
  }

  /** How long each step takes for an image. */
  async profile(input: VisionInput, options: ProfileOptions = {}): Promise<Profile> {
    this.engine.alive();
    checkOptions('profile', options, { repeats: integer(1), signal: isSignal });
    const { repeats = 10, signal } = options;
    return this.proved(await profileText(this.engine, await this.#rowsOf(input, signal), [0], repeats, signal));
  }

  /** @internal */
  get [insides](): Insides {
    const read = async (input: unknown) => {
      const rows = await this.#rowsOf(input as VisionInput, undefined);
      return { ...rows, ids: [], prefix: this.config.nPrefix };
    };
    const featured = { runs: this.#runs, hidden: this.#hidden, row: 'first' } as const;
    return { kind: 'vision', engine: this.engine, read, featured };
  }

  /** DeiT with a teacher answers with the mean of its two heads, each on its own token. */
  #logits(first: Float32Array, second: Float32Array | undefined): Tensor {
    const { length } = this.config.labels;
    const data = second ? first.slice(0, length).map((logit, i) => (logit + second[length + i]!) / 2) : first;
    return { data, shape: [data.length] };
  }

  /** The rows of an image: the tokens before the patches, which have no pixels, and the patches, row by row. */
  async #rowsOf(input: VisionInput, signal: AbortSignal | undefined): Promise<EncoderText> {
    const { nPrefix, patchSize, imageSize, channels } = this.config;
    const isPixels = typeof input === 'object' && input !== null && 'pixels' in input;
    const { pixels, shape } = isPixels ? input : await preprocess(input, this.processor, { signal });
    signal?.throwIfAborted();
    const expected = [channels, ...imageSize];
    if (!(pixels instanceof Float32Array) || String(shape) !== String(expected)) {
      const found = pixels instanceof Float32Array ? `have the shape [${shape}]` : `are ${quote(pixels)}`;
      throw badOption(`The pixels ${found}; expected a Float32Array of shape [${expected}].`);
    }
    if (pixels.length !== product(expected)) {
      throw badOption(`${pixels.length} pixels were given for the shape [${expected}].`);
    }
    const parts = patchesOf(pixels, expected as [number, number, number], patchSize);
    const width = channels * patchSize[0] * patchSize[1];
    const whole = new Float32Array(nPrefix * width + parts.length);
    whole.set(parts, nPrefix * width);
    const length = whole.length / width;
    const rows = Array.from({ length }, (_, at) => ({ token: 0, position: at, segment: Math.min(at, nPrefix), at }));
    return { length, rows, input: whole };
  }
}

/** An edit of the patches as one of all rows, of which the first `prefix` have none. */
export function ofPatches(edit: Edit, rows: number, prefix: number): Edit {
  const count = rows - prefix;
  const wanted = edit.position ?? Array.from({ length: count }, (_, i) => i);
  return { ...edit, position: positionsIn([wanted].flat(), count).map((position) => prefix + position) };
}

/** @throws VitrineError `bad-option` for a model without a head that classifies */
export function needClasses({ labels }: VisionConfig): void {
  if (labels.length > 0) return;
  throw badOption('The model has no head that classifies images.', 'features() gives what it makes of an image.');
}

/** Pixels [channels, height, width] -> patches, row by row, each [channels, patch height, patch width]. */
function patchesOf(
  pixels: Float32Array,
  [channels, height, width]: readonly [number, number, number],
  [ph, pw]: readonly [number, number],
): Float32Array {
  const patches = new Float32Array(pixels.length);
  let at = 0;
  for (let top = 0; top < height; top += ph) {
    for (let left = 0; left < width; left += pw) {
      for (let c = 0; c < channels; c++) {
        for (let y = top; y < top + ph; y++) {
          const from = (c * height + y) * width + left;
          patches.set(pixels.subarray(from, from + pw), at);
          at += pw;
        }
      }
    }
  }
  return patches;
}
