import type { Backend, ProgramSize, WeightFormat } from '../plan/backend.ts';
import { VitrineError } from '../plan/error.ts';
import { type KvFormat, tokenBytes } from '../plan/kv.ts';
import type { Plan, WeightSpec } from '../plan/plan.ts';
import { attentionFor, createGpuBackend, tuning, variantsFor } from './backend.ts';
import { Buffers } from './buffers.ts';
import { expected, kernelsAhead } from './compile-ahead.ts';
import { describe, type Gpu, isSoftware, probe } from './device.ts';
import { type AttentionVariant, attentionVariants } from './kernels/attention.ts';
import { type Variants, variantsOn } from './kernels/linear.ts';
import { makeSources } from './lay-out.ts';
import { fetchShaders, sourceOf } from './shader.ts';
import { type TuneStore, tuneStore } from './tune-store.ts';

/** A variant of each kernel that has some. */
export type Chosen = Variants & { attention: AttentionVariant };

/** A GPU whose kernels are to be checked before it gets a model's weights. */
export interface Trial {
  adapter: string;
  kv: KvFormat;
  /** The variants that the device can run. */
  variants: { [kind in keyof Chosen]: Chosen[kind][] };
  /** Variants to begin with. */
  preferred: Chosen;
  /** A backend without weights on the device, whose pipelines are the model's too. */
  open(chosen: Chosen): Backend;
  /** What the kernels of these variants are compiled from, on which adapter. */
  keyOf(chosen: Chosen): Promise<string>;
  /** Where what was found is kept: of a device of the caller's with itself, as it may do anything to what it is asked. */
  store: TuneStore;
}

/** What the backend of a model is told. */
export interface GpuChoices {
  kv: KvFormat;
  tune: boolean | undefined;
  /** Of all weights. */
  bytes: number;
  /** Bytes of the largest weight or KV cache that is bound in one piece. */
  largest: number;
  plan: Plan;
  /** The size of its programs, where keys and values have so much room. */
  sizeFor(most: { each: number; all: number }): ProgramSize;
  formatOf(weight: WeightSpec): WeightFormat;
  /** Finds variants that compute what they should, those that are preferred if they do; throws if there are none. */
  check(trial: Trial): Promise<Chosen>;
}

/**
 * The backend on a device of the caller's, which stays open.
 * @throws VitrineError `device-lost`
 */
export async function ownBackend(device: GPUDevice, choices: GpuChoices): Promise<Backend> {
  const soon = new Promise<undefined>((resolve) => setTimeout(resolve, 0));
  const lost = await Promise.race([device.lost, soon]);
  if (lost) throw new VitrineError('device-lost', `The GPUDevice is lost: ${lost.message || lost.reason}.`);
  return gpuBackend({ device, adapter: describe(device.adapterInfo) }, choices, false);
}

/** The backend on a device that was asked for, which goes with it where it is `owned`. */
export async function gpuBackend(
  { device, adapter }: Pick<Gpu, 'device' | 'adapter'>,
  choices: GpuChoices,
  owned = true,
): Promise<Backend> {
  const tune = storeFor(device, choices);
  const tuner = tune && tuning();
  tuner?.catch(() => {}); // the probe may fail first
  await probe(device);
  const size = await fittingSize(device, choices);
  const { kv, plan, formatOf } = choices;
  const weights = expected(device, plan, formatOf);
  const kept = tuner && (await (await tuner).keptChoice({ device, weights }, plan, tune));
  const attention = attentionFor(device.adapterInfo);
  const open = ({ attention, ...variants }: Chosen) => createGpuBackend(device, { kv, attention, variants });
  const check = (preferred: Chosen) =>
    choices.check({
      adapter,
      kv,
      variants: { ...variantsOn(device.features), attention: attentionVariants },
      preferred,
      open,
      keyOf: async (chosen) => `${adapter} ${await fingerprint(device, { ...choices, size }, chosen)}`,
      store: owned ? tuneStore : storeOf(device),
    });
  const chosen = await check({ ...(kept ?? variantsFor(device)), attention });
  return createGpuBackend(device, {
    adapter,
    owned,
    kv,
    tune,
    attention: chosen.attention,
    variants: chosen,
    confirm: (tuned) => check({ ...tuned, attention: chosen.attention }),
  });
}

/** A device that has no room for a text of so many tokens is left. */
const SHORTEST = 256;

const ofDevices = new WeakMap<GPUDevice, Map<string, string>>();

function storeOf(device: GPUDevice): TuneStore {
  const kept = ofDevices.get(device) ?? new Map<string, string>();
  ofDevices.set(device, kept);
  return { get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) };
}

/** A number that other shaders, or other constants of theirs, would not have. */
async function fingerprint(device: GPUDevice, { kv, plan, size, formatOf }: Sized, { attention, ...variants }: Chosen) {
  const weights = expected(device, plan, formatOf);
  const kernels = kernelsAhead({ device, weights, variants, attention, kv }, plan, size);
  const files = kernels.flatMap((kernel) => kernel.files);
  await fetchShaders(files);
  const sources = new Set(files.map(sourceOf));
  const text = [...sources, ...kernels.map(({ constants }) => JSON.stringify(constants))].join();
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `${text.length}-${(hash >>> 0).toString(16)}`;
}

/** Measuring pays where kernels differ by more than it costs: on real GPUs, with weights enough to read. */
function storeFor(device: GPUDevice, { tune, bytes }: GpuChoices): TuneStore | undefined {
  return (tune ?? (!isSoftware(device.adapterInfo) && bytes >= 2 ** 24)) ? tuneStore : undefined;
}

type Sized = GpuChoices & { size: ProgramSize };

/** The size of programs whose keys and values there is room for: half as many, and again, as long as the caller takes fewer. */
async function fittingSize(device: GPUDevice, choices: GpuChoices): Promise<ProgramSize> {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const each = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  let size = choices.sizeFor({ each, all: Number.POSITIVE_INFINITY });
  for (;;) {
    try {
      await checkRoom(device, { ...choices, size });
      return size;
    } catch (error) {
      const isFull = error instanceof VitrineError && error.code === 'out-of-memory';
      const shorter = choices.sizeFor({ each, all: (size.context * tokenBytes(choices.plan, choices.kv)) / 2 });
      if (!isFull || shorter.context >= size.context || shorter.context < SHORTEST) throw error;
      size = shorter;
    }
  }
}

/** Takes the memory of a program's KV cache and gives it back: what has no room is told before weights are fetched. */
async function checkRoom(device: GPUDevice, { plan, size, kv }: Sized): Promise<void> {
  const buffers = new Buffers(device);
  const what = `The KV cache of ${size.context} positions`;
  try {
    await buffers.allocate(what, () => makeSources(plan, size, kv, (_, bytes) => buffers.create(what, bytes)));
  } finally {
    buffers.destroyAll();
  }
}
