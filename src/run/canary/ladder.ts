import { createGpuBackend, type GpuBackendOptions } from '../../gpu/backend.ts';
import { describe, isSoftware, requestDevice } from '../../gpu/device.ts';
import { attentionVariants } from '../../gpu/kernels/attention.ts';
import { variantsOn } from '../../gpu/kernels/linear.ts';
import { gpt2Plan } from '../../model/gpt2.ts';
import type { WeightFormat } from '../../plan/backend.ts';
import { VitrineError } from '../../plan/error.ts';
import type { KvFormat } from '../../plan/kv.ts';
import type { Activation } from '../../plan/plan.ts';
import { load } from '../load.ts';
import type { Device } from '../open-device.ts';
import type { Canary } from './canary.ts';
import { type Checked, canariesIn, checkKernels } from './device-check.ts';
import { compared, type Finding } from './finding.ts';
import type { Agreement, CheckDeviceOptions, DeviceReport, Rung } from './report.ts';

/** Some kernels of the ladder: those of a plan in one variant, each checked by itself. */
interface Round {
  variant: string;
  options: GpuBackendOptions;
  checked: Checked;
  wanted(canary: Canary): boolean;
  /** With every tensor kept, as a trace does it, so that no two kernels are one. */
  apart?: boolean;
}

/** Wide enough for two blocks of attention and an odd end of everything; small enough for a phone's CPU. */
function checkedOf(
  format: WeightFormat,
  { activation = 'gelu_new' as Activation, rows = 12, kv = 'f32' as KvFormat } = {},
): Checked {
  const plan = gpt2Plan({
    ...{ nLayer: 1, nHead: 3, nEmbd: 228, nInner: 500, nCtx: 96, vocabSize: 1111, activation },
    ...{ layerNormEpsilon: 1e-5, scaleAttnWeights: true, scaleAttnByInverseLayerIdx: false },
    ...{ tieWordEmbeddings: true, bosTokenId: null, eosTokenIds: [] },
  });
  const formatOf = ({ name }: { name: string }) => (name === 'wpe.weight' ? 'f32' : format);
  return { plan, size: { slots: 1, context: 96, rows, logitRows: 2 }, formatOf, kv };
}

const isLayer = ({ op }: Canary) => op.includes('gelu') || op.includes('relu') || op.includes('silu');
const isAttention = ({ op }: Canary) => op.startsWith('attention');
const always = () => true;

function roundsOn(device: GPUDevice): Round[] {
  const { row, tile } = variantsOn(device.features);
  const formats = ['f32', 'bf16', 'f16', 'q8', 'q4'] as const;
  const others = ['gelu', 'relu', 'silu'] as const;
  return [
    ...formats.map(
      (format, i): Round => ({
        ...{ variant: 'as the adapter has it', options: {}, checked: checkedOf(format) },
        wanted: (canary) => i === 0 || !isAttention(canary),
      }),
    ),
    ...row.flatMap((row) =>
      formats.map(
        (format): Round => ({
          ...{ variant: row, options: { variants: { row } }, checked: checkedOf(format, { rows: 1 }), wanted: isLayer },
        }),
      ),
    ),
    ...tile.flatMap((tile) =>
      formats.map(
        (format): Round => ({
          ...{ variant: tile, options: { variants: { tile } }, checked: checkedOf(format), wanted: isLayer },
        }),
      ),
    ),
    ...attentionVariants.flatMap((attention) =>
      (['f32', 'f16', 'q8'] as const).map(
        (kv): Round => ({
          variant: kv === 'f32' ? attention : `${attention}, keys and values ${kv}`,
          ...{ options: { attention, kv }, checked: checkedOf('f32', { kv }), wanted: isAttention },
        }),
      ),
    ),
    ...others.map(
      (activation): Round => ({
        ...{
          variant: 'as the adapter has it',
          options: {},
          checked: checkedOf('f32', { activation }),
          wanted: isLayer,
        },
      }),
    ),
    { variant: 'each step apart', options: {}, checked: checkedOf('f32'), wanted: always, apart: true },
  ];
}

/** See `checkDevice`. */
export async function climb({ device: own, model, onProgress, signal }: CheckDeviceOptions): Promise<DeviceReport> {
  const start = performance.now();
  signal?.throwIfAborted();
  const device = (own as GPUDevice | undefined) ?? (await requestDevice(2 ** 28)).device;
  try {
    const rounds = roundsOn(device).map((round) => ({ round, ops: canariesIn(round.checked, round.wanted) }));
    const total = rounds.reduce((sum, { ops }) => sum + ops.length, 0) + (model === undefined ? 0 : 1);
    const rungs: Rung[] = [];
    let done = 0;
    for (const { round, ops } of rounds) {
      for (const op of ops) {
        signal?.throwIfAborted();
        const found = await stepOn(device, round, op);
        done++;
        rungs.push(...found);
        for (const rung of found) onProgress?.({ done, total, rung });
        if (found.some(({ failure }) => failure) && (await isLost(device))) return reportOf(device, rungs, start);
      }
    }
    const agreement = model === undefined ? undefined : await agreementOn(device, model, signal);
    return reportOf(device, rungs, start, agreement);
  } finally {
    if (!own) device.destroy();
  }
}

function reportOf(device: GPUDevice, rungs: Rung[], start: number, agreement?: Agreement): DeviceReport {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  return {
    passed: rungs.every(({ passed }) => passed) && (agreement?.passed ?? true),
    adapter: describe(device.adapterInfo),
    software: isSoftware(device.adapterInfo),
    browser: globalThis.navigator?.userAgent ?? `Node ${globalThis.process?.version}`,
    features: [...device.features].sort(),
    limits: { maxBufferSize, maxStorageBufferBindingSize },
    rungs,
    ...(agreement && { agreement }),
    ms: performance.now() - start,
  };
}

const isLost = (device: GPUDevice) =>
  Promise.race([device.lost.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 50))]);

/** A kernel that does not run is a finding, too. */
async function stepOn(
  device: GPUDevice,
  { variant, options, checked, wanted, apart }: Round,
  op: string,
): Promise<Rung[]> {
  const backend = createGpuBackend(device, options);
  const lost = device.lost.then(({ message, reason }) => {
    throw new VitrineError('device-lost', `The GPU was lost: ${message || reason}`);
  });
  lost.catch(() => {});
  try {
    const findings = checkKernels(backend, checked, (canary) => wanted(canary) && canary.op === op, apart);
    return (await Promise.race([findings, lost])).map((finding) => ({ ...finding, variant }));
  } catch (error) {
    const none = { mean: Number.NaN, worst: Number.NaN };
    const finding: Finding = { op, rows: 'one', kernel: 'other', error: none, tolerance: none, passed: false, ms: 0 };
    return [{ ...finding, variant, failure: String(error instanceof Error ? error.message : error) }];
  } finally {
    backend.dispose();
  }
}

/** Rounding adds up over a model's layers. */
const AGREEMENT = { mean: 1e-3, worst: 2e-2 };
/** A token that the CPU prefers by less may be another on a GPU. */
const CLOSE = 1e-3;

/** Both devices read the text that the CPU writes, so that one token chosen otherwise does not make all others differ. */
async function agreementOn(
  device: GPUDevice,
  source: NonNullable<CheckDeviceOptions['model']>,
  signal?: AbortSignal,
): Promise<Agreement> {
  const options = { ...(signal && { signal }), cache: false as const };
  const cpu = await load(source, { ...options, device: 'cpu' });
  const gpu = await load(source, { ...options, device: device as unknown as Device });
  try {
    const { prompt, ids } = { prompt: [1, 2, 3].map((n) => n % cpu.config.vocabSize), ids: [] as number[] };
    ids.push(...(await cpu.complete(prompt, { maxNewTokens: 24, eosTokenId: null, ...(signal && { signal }) })).ids);
    const text = [...prompt, ...ids];
    const positions = text.map((_, position) => position);
    const [expected, found] = [await cpu.logits(text, { positions }), await gpu.logits(text, { positions })];
    const { vocabSize } = cpu.config;
    const best = (logits: Float32Array) => logits.reduce((at, logit, id) => (logit > logits[at]! ? id : at), 0);
    const rows = positions.map((at) =>
      [expected, found].map(({ data }) => data.subarray(at * vocabSize, (at + 1) * vocabSize)),
    );
    const same = rows.filter(([wanted, got]) => wanted![best(got!)]! >= wanted![best(wanted!)]! - CLOSE).length;
    const result = compared(found.data, expected.data, AGREEMENT);
    return { ...result, passed: result.passed && same === positions.length, positions: positions.length, same };
  } finally {
    cpu.dispose();
    gpu.dispose();
  }
}
