import { createGpuBackend, type GpuBackendOptions } from '../../src/gpu/backend.ts';
import { attentionVariants } from '../../src/gpu/kernels/attention.ts';
import { variantsOn } from '../../src/gpu/kernels/linear.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { Op } from '../../src/plan/plan.ts';
import type { Format } from './protocol.ts';
import type { Shape } from './seeded-model.ts';

/** Kernels of one layer and of the logits, in a variant, whatever the library would choose. */
export interface VariantTimes {
  /** E.g. `f32, one row, lanes`. */
  name: string;
  /** The GPU's own timestamps, or a clock on the wall. */
  clock: 'gpu' | 'wall';
  steps: { name: string; microseconds: number }[];
}

/** Rows of a run, and where its last row is. */
const runs = { 'one row': 1, '64 rows': 64 } as const;
const CONTEXT = 512;

/** Times every variant of the kernels that do most of the work, in a layer of a shape; one after the other, as they are ready. */
export async function* timeVariants(
  device: GPUDevice,
  shape: Shape,
  format: Format,
  repeats: number,
): AsyncGenerator<VariantTimes> {
  const { row, tile } = variantsOn(device.features);
  const cases: [run: keyof typeof runs, variant: string, op: Op, options: GpuBackendOptions][] = [
    ...row.map((row) => ['one row', row, 'linear', { variants: { row } }] as (typeof cases)[0]),
    ...tile.map((tile) => ['64 rows', tile, 'linear', { variants: { tile } }] as (typeof cases)[0]),
    ...attentionVariants.flatMap((attention) =>
      (['one row', '64 rows'] as const).map((run) => [run, attention, 'attention', { attention }] as (typeof cases)[0]),
    ),
  ];
  for (const [run, variant, op, options] of cases) {
    const { clock, steps } = await profileOf(device, shape, { format, rows: runs[run], repeats, options });
    yield {
      name: `${format}, ${run}, ${variant}`,
      clock,
      steps: steps
        .filter(({ step }) => step.op === op)
        .map(({ step, microseconds }) => ({
          name: step.op === 'linear' ? step.weight.replace(/^h\.0\.|\.weight$/g, '') : `${step.op} at ${CONTEXT}`,
          microseconds,
        })),
    };
  }
}

async function profileOf(
  device: GPUDevice,
  { embd, heads, vocab, ctx }: Shape,
  { format, rows, repeats, options }: { format: Format; rows: number; repeats: number; options: GpuBackendOptions },
) {
  const context = Math.min(CONTEXT, ctx);
  const plan = gpt2Plan({
    ...{ nLayer: 1, nHead: heads, nEmbd: embd, nInner: 4 * embd, nCtx: context, vocabSize: vocab },
    ...{ activation: 'gelu_new', layerNormEpsilon: 1e-5, scaleAttnWeights: true, scaleAttnByInverseLayerIdx: false },
    ...{ tieWordEmbeddings: true, bosTokenId: null, eosTokenIds: [] },
  });
  const backend = createGpuBackend(device, options);
  try {
    for (const spec of plan.weights) {
      const isWords = spec.name !== 'wpe.weight';
      await backend.addWeight(spec, isWords ? format : 'f32', pieces(spec.rows, spec.columns));
    }
    const program = await backend.program(plan, { slots: 1, context, rows, logitRows: 1 });
    const first = context - rows;
    const batch = Array.from({ length: rows }, (_, i) => ({ token: i % vocab, position: first + i, slot: 0 }));
    return await program.profile({ rows: batch, logitRows: [rows - 1] }, repeats);
  } finally {
    backend.dispose();
  }
}

/** Values of a weight, a few rows at a time: what they are is no matter, as long as none is special. */
async function* pieces(rows: number, columns: number): AsyncGenerator<Float32Array> {
  const most = Math.max(1, Math.floor(2 ** 20 / columns));
  const values = Float32Array.from({ length: most * columns }, (_, i) => ((i * 7919) % 2003) / 20030 - 0.05);
  for (let row = 0; row < rows; row += most) yield values.subarray(0, Math.min(most, rows - row) * columns);
}
