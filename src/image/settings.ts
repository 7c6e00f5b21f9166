import { badCheckpoint, unsupportedCheckpoint, VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import type { Resample } from './resample.ts';

/** The size that an image is resized to, in pixels. */
export type ImageSize =
  | { height: number; width: number }
  /** The shorter edge becomes this long, the longer one in proportion, at most `longestEdge`. */
  | { shortestEdge: number; longestEdge?: number }
  /** The longer edge becomes this long. */
  | { longestEdge: number }
  /** As large as fits. */
  | { maxHeight: number; maxWidth: number };

/** How a model's images become numbers, step by step in this order. */
export interface ImageSettings {
  /** Channels of the model's images: colour, or grey. */
  channels: 1 | 3;
  resize?: { size: ImageSize; resample: Resample };
  /** The middle of the image, with black around it where that is smaller. */
  crop?: { height: number; width: number };
  /** Bytes are multiplied by it. */
  rescaleFactor?: number;
  /** Of each channel: values become (value - mean) / std. */
  normalize?: { mean: number[]; std: number[] };
  /** The channels end in the order blue, green, red. */
  flipChannels: boolean;
}

/** Defaults of a class of transformers' image processors. */
interface Defaults {
  size: unknown;
  /** What a single number stands for as size: a square, or the shorter edge. */
  isSquare: boolean;
  resample: Resample;
  cropSize?: unknown;
  mean: number[];
  std: number[];
}

const halves = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
const shortest224 = { size: { shortest_edge: 224 }, isSquare: false, resample: 'bicubic', cropSize: 224 } as const;

/** By the class's name, without what follows it: Processor, Fast, or FeatureExtractor as the classes were once called. */
const classes = new Map<string, Defaults>([
  ['ViT', { size: 224, isSquare: true, resample: 'bilinear', ...halves }],
  ['DeiT', { size: 256, isSquare: true, resample: 'bicubic', cropSize: 224, ...halves }],
  ['CLIP', { ...shortest224, ...clip }],
  ['Bit', { ...shortest224, ...clip }],
]);

/** PIL's numbers are places in this list. */
const resamples: Resample[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

/** No edge of a model's images is longer; a file that says so is damaged. */
const longestEdge = 4096;

/** Settings of other image processors that change pixels, with the values of each that do not. */
const fixedSettings: [string, unknown[]][] = [
  ['crop_pct', [null, 1]],
  ['data_format', [null, 'channels_first']],
  ['offset', [null, false]],
];
const flags = ['do_resize', 'do_center_crop', 'do_rescale', 'do_normalize', 'do_convert_rgb', 'do_flip_channel_order'];

/**
 * A Hugging Face `preprocessor_config.json`. What is absent, or null, has the default of its class (`image_processor_type`,
 * `feature_extractor_type`); a file without one is read as that of `ViTImageProcessor`, or of `modelType`'s class.
 * @param json what was read from the file
 * @param file its name, for messages
 * @param model its kind, and the channels of its images (num_channels of its config)
 * @throws VitrineError `bad-checkpoint` for a field that is ill-typed, `unsupported-checkpoint` for one that asks for what
 *   is not done here
 */
export function parseImageSettings(
  json: unknown,
  file: string,
  model: { modelType?: string; channels?: number } = {},
): ImageSettings {
  return new Reader(json, file, model.channels ?? 3).settings(model.modelType);
}

class Reader {
  readonly #fields: Record<string, unknown>;
  readonly #file: string;
  readonly #channels: number;

  constructor(json: unknown, file: string, channels: number) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw badCheckpoint(`${file} holds ${show(json)}; expected an object.`);
    }
    this.#fields = json as Record<string, unknown>;
    this.#file = file;
    this.#channels = channels;
  }

  settings(modelType: string | undefined): ImageSettings {
    const channels = this.#channels;
    if (channels !== 1 && channels !== 3)
      throw unsupportedCheckpoint(`The model's images have ${channels} channels; expected 1 or 3.`);
    const defaults = this.#defaults(modelType);
    this.#refuseOthers();
    const flag = (name: string, absent: boolean) => this.#flag(name) ?? absent;
    const isCropped = flag('do_center_crop', defaults.cropSize !== undefined);
    return {
      channels,
      ...(flag('do_resize', true) && {
        resize: { size: this.#size(defaults), resample: this.#resample(defaults.resample) },
      }),
      ...(isCropped && { crop: this.#cropSize(defaults.cropSize) }),
      ...(flag('do_rescale', true) && { rescaleFactor: this.#number('rescale_factor', 1 / 255) }),
      ...(flag('do_normalize', true) && {
        normalize: {
          mean: this.#perChannel('image_mean', defaults.mean),
          std: this.#perChannel('image_std', defaults.std, 'above 0'),
        },
      }),
      flipChannels: flag('do_flip_channel_order', false),
    };
  }

  /** Null is how Python writes "not set". */
  #field(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }

  #defaults(modelType = 'vit'): Defaults {
    const name = this.#field('image_processor_type') === undefined ? 'feature_extractor_type' : 'image_processor_type';
    const value = this.#field(name);
    const type = typeof value === 'string' ? value.replace(/(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/, '') : value;
    for (const [known, defaults] of classes) {
      if (type === undefined ? known.toLowerCase() === modelType : known === type) return defaults;
    }
    const expected = `that of ${[...classes.keys()].join(', ')}`;
    if (type === undefined) throw this.#unsupported(name, expected);
    throw typeof type === 'string' ? this.#unsupported(name, expected) : this.#bad(name, 'the name of a class');
  }

  /** What other classes do to an image, and these do not. */
  #refuseOthers(): void {
    for (const [name, values] of fixedSettings) {
      if (!values.includes(this.#field(name) ?? null)) throw this.#unsupported(name, `${values[1]}`);
    }
    for (const [name, value] of Object.entries(this.#fields)) {
      if (name.startsWith('do_') && !flags.includes(name) && value) throw this.#unsupported(name, 'false');
    }
    this.#flag('do_convert_rgb'); // every image is converted to the channels of the model
  }

  #flag(name: string): boolean | undefined {
    const value = this.#field(name);
    if (value !== undefined && typeof value !== 'boolean') throw this.#bad(name, 'true or false');
    return value;
  }

  #number(name: string, absent: number): number {
    const value = this.#field(name) ?? absent;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.#bad(name, 'a number');
    return value;
  }

  #perChannel(name: string, absent: number[], range?: 'above 0'): number[] {
    const value = this.#field(name) ?? absent.slice(0, this.#channels);
    const list: unknown[] = Array.isArray(value) ? value : Array(this.#channels).fill(value);
    const isGood = (one: unknown) => Number.isFinite(one) && !(range && (one as number) <= 0);
    if (list.length === this.#channels && list.every(isGood)) return list as number[];
    const each = this.#channels === 1 ? 'one' : `a number or ${this.#channels} of them`;
    throw this.#bad(name, `${each}${range ? ` ${range}` : ''}, as the model's images have ${this.#channels} channels`);
  }

  #resample(absent: Resample): Resample {
    const value = this.#field('resample') ?? absent;
    const name = typeof value === 'string' ? value.toLowerCase().replace(/^nearest[-_]exact$/, 'nearest') : '';
    const found = typeof value === 'number' ? resamples[value] : resamples.find((known) => known === name);
    if (found) return found;
    throw this.#unsupported('resample', `a number of PIL's, 0 to 5, or ${resamples.join(', ')}`);
  }

  #size({ size, isSquare }: Defaults): ImageSize {
    const value = this.#field('size') ?? size;
    if (typeof value === 'number') {
      const edge = this.#edge('size', value);
      return (this.#flag('default_to_square') ?? isSquare) ? { height: edge, width: edge } : { shortestEdge: edge };
    }
    const edges = this.#edges('size', value);
    const is = (...names: string[]) => names.length === edges.size && names.every((name) => edges.has(name));
    if (is('height', 'width')) return { height: edges.get('height')!, width: edges.get('width')! };
    if (is('shortest_edge')) return { shortestEdge: edges.get('shortest_edge')! };
    if (is('longest_edge')) return { longestEdge: edges.get('longest_edge')! };
    if (is('shortest_edge', 'longest_edge')) {
      return { shortestEdge: edges.get('shortest_edge')!, longestEdge: edges.get('longest_edge')! };
    }
    if (is('max_height', 'max_width'))
      return { maxHeight: edges.get('max_height')!, maxWidth: edges.get('max_width')! };
    throw this.#unsupported('size', 'height and width, shortest_edge, longest_edge, or max_height and max_width');
  }

  #cropSize(absent: unknown): { height: number; width: number } {
    const value = this.#field('crop_size') ?? absent;
    if (typeof value === 'number') {
      const edge = this.#edge('crop_size', value);
      return { height: edge, width: edge };
    }
    const edges = this.#edges('crop_size', value);
    const [height, width] = [edges.get('height'), edges.get('width')];
    if (edges.size === 2 && height && width) return { height, width };
    throw this.#bad('crop_size', 'a number, or height and width');
  }

  /** The lengths of an object, or of a list of height and width; those that are null are left out. */
  #edges(name: string, value: unknown): Map<string, number> {
    const list = Array.isArray(value) && value.length === 2 && { height: value[0], width: value[1] };
    const object = list || (typeof value === 'object' && value !== null && !Array.isArray(value) && value);
    if (!object) throw this.#bad(name, 'a number, or an object of lengths');
    const given = Object.entries(object).filter(([, edge]) => edge !== null);
    return new Map(given.map(([edge, length]) => [edge, this.#edge(name, length)]));
  }

  #edge(name: string, value: unknown): number {
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= longestEdge) return value as number;
    throw this.#bad(name, `lengths that are whole numbers from 1 to ${longestEdge}`);
  }

  #bad(name: string, expected: string): VitrineError {
    return this.#error('bad-checkpoint', name, expected);
  }

  #unsupported(name: string, expected: string): VitrineError {
    return this.#error('unsupported-checkpoint', name, expected);
  }

  #error(code: 'bad-checkpoint' | 'unsupported-checkpoint', name: string, expected: string): VitrineError {
    return new VitrineError(code, `${name} in ${this.#file} is ${show(this.#field(name))}; expected ${expected}.`);
  }
}
