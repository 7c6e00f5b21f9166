import type { PlanBuilder } from '../plan/builder.ts';
import { badCheckpoint } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import type { Fields } from './fields.ts';

/** Rotary position embeddings (Su et al. 2021) of a model: how fast each pair of a head turns with the position. */
export interface Rotary {
  /** Angles per position, one a pair. */
  frequencies: number[];
  /** Sines and cosines are multiplied by it (yarn). */
  factor: number;
  /** The tensor of what each frequency is divided by (Llama 3 in GGUF files). */
  dividedBy?: string;
}

type Scaling = Readonly<Record<string, unknown>>;

/** The field that holds for rotary embeddings, `rope_scaling` of older files before `rope_parameters` of newer ones, and what it says. */
export function ropeField(fields: Fields): { name: 'rope_scaling' | 'rope_parameters'; scaling: Scaling } {
  for (const name of ['rope_scaling', 'rope_parameters'] as const) {
    const scaling = fields.get(name);
    if (scaling === undefined) continue;
    if (typeof scaling !== 'object') throw fields.bad(name, 'an object');
    if (Object.keys(scaling!).length > 0) return { name, scaling: scaling as Scaling };
  }
  return { name: 'rope_parameters', scaling: {} };
}

/**
 * What config.json says of rotary embeddings.
 * @param dims how much of a head is turned; an odd number stands for the even one above it
 * @param base the field of the base of the angles, where the scaling has none
 * @throws VitrineError `unsupported-checkpoint` for a kind of scaling that is not computed here
 */
export function readRotary(fields: Fields, dims: number, base = 'rope_theta'): Rotary {
  const { name: field, scaling } = ropeField(fields);
  if (scaling.full_attention !== undefined || scaling.sliding_attention !== undefined)
    throw fields.unsupported(field, 'the same for all layers');
  const number = (name: string, absent?: number): number => {
    const value = scaling[name] ?? absent;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw badCheckpoint(`${name} of the rotary scaling in config.json is ${show(value)}; expected a number above 0.`);
  };
  const theta = number('rope_theta', (fields.get(base) ?? 10_000) as number);
  const plain = Array.from({ length: Math.ceil(dims / 2) }, (_, i) => theta ** ((-2 * i) / dims));
  const longest = fields.get('max_position_embeddings') as number;
  // The length of the texts that a model was first made for; what the whole file says of it comes before the scaling.
  const original = (): number =>
    fields.get('original_max_position_embeddings') === undefined
      ? number('original_max_position_embeddings', longest)
      : fields.size('original_max_position_embeddings', 'positions');
  const kind = scaling.rope_type ?? scaling.type ?? 'default';
  switch (kind) {
    case 'default':
    // Grows only with texts longer than the model was made for, which no context here holds.
    case 'dynamic':
      return { frequencies: plain, factor: 1 };
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / number('factor')), factor: 1 };
    case 'llama3':
      return { frequencies: llama3(plain, number, original()), factor: 1 };
    case 'yarn': {
      const positions = original();
      const factor = number('factor', scaling.factor === null ? longest / positions : undefined);
      return yarn(plain, number, { theta, dims, positions, factor, scaling });
    }
    default:
      throw fields.unsupported(field, 'of the kind default, linear, dynamic, llama3 or yarn');
  }
}

/** Llama 3.1: slow frequencies are divided, fast ones stay, those between go from one to the other. */
function llama3(plain: readonly number[], number: (name: string) => number, positions: number): number[] {
  const [factor, low, high] = [number('factor'), number('low_freq_factor'), number('high_freq_factor')];
  return plain.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < positions / high) return frequency;
    if (wavelength > positions / low) return frequency / factor;
    const smooth = (positions / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** YaRN (Peng et al. 2023): the same by how often a pair turns within the text that the model was made for. */
function yarn(
  plain: readonly number[],
  number: (name: string, absent?: number) => number,
  of: { theta: number; dims: number; positions: number; factor: number; scaling: Scaling },
): Rotary {
  const { theta, dims, positions, factor, scaling } = of;
  const pairOf = (turns: number) => (dims * Math.log(positions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const whole = scaling.truncate !== false;
  const [first, last] = [pairOf(number('beta_fast', 32)), pairOf(number('beta_slow', 1))];
  const low = Math.max(whole ? Math.floor(first) : first, 0);
  const high = Math.min(whole ? Math.ceil(last) : last, dims - 1);
  const width = high === low ? 0.001 : high - low;
  const frequencies = plain.map((frequency, i) => {
    const scaled = Math.min(1, Math.max(0, (i - low) / width));
    return (frequency / factor) * scaled + frequency * (1 - scaled);
  });
  const magnitude = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const both = typeof scaling.mscale === 'number' && typeof scaling.mscale_all_dim === 'number';
  const natural =
    both && scaling.mscale && scaling.mscale_all_dim
      ? magnitude(number('mscale')) / magnitude(number('mscale_all_dim'))
      : magnitude(1);
  return { frequencies, factor: number('attention_factor', natural) };
}

/** The table of a model's rotary embeddings, as the plan has it. */
export function rotaryWeight(b: PlanBuilder, rotary: Rotary, positions: number): string {
  const pairs = rotary.frequencies.length;
  const from = rotary.dividedBy === undefined ? [] : [{ name: rotary.dividedBy, shape: [pairs] }];
  const values = (divisors?: Float32Array) =>
    rotaryTable({ ...rotary, frequencies: rotary.frequencies.map((one, i) => one / (divisors?.[i] ?? 1)) }, positions);
  return b.matrix('rotary', positions, 2 * pairs, { computed: { from, values } });
}

/** Cosines, then sines, of each position's angles: [positions, 2 pairs]. */
function rotaryTable({ frequencies, factor }: Rotary, positions: number): Float32Array {
  const pairs = frequencies.length;
  const table = new Float32Array(positions * 2 * pairs);
  // Angles are products of float32 in the models' own code.
  const rounded = frequencies.map(Math.fround);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < pairs; i++) {
      const angle = Math.fround(position * rounded[i]!);
      table[position * 2 * pairs + i] = Math.cos(angle) * factor;
      table[position * 2 * pairs + pairs + i] = Math.sin(angle) * factor;
    }
  }
  return table;
}
