import type { ForwardOp } from '../../../../plan/plan.ts';
import type { Part } from './parts.ts';

/** The engine's source as text, a file at a time: the page shows it, and imports none of it. */
const loaders = {
  ...import.meta.glob<string>('../../../../../shaders/**/*.wgsl', { query: '?raw', import: 'default' }),
  ...import.meta.glob<string>('../../../../cpu/*.ts', { query: '?raw', import: 'default' }),
  ...import.meta.glob<string>('../../../../wasm/kernels/*.ts', { query: '?raw', import: 'default' }),
};

const folders = { wgsl: '../../../../../shaders/', cpu: '../../../../cpu/', wasm: '../../../../wasm/kernels/' };

export type Language = keyof typeof folders;

export async function sourceOf(language: Language, file: string): Promise<string> {
  const load = loaders[folders[language] + file];
  if (!load) throw new Error(`There is no source ${file}.`);
  return load();
}

/** Where a file is in the project. */
export const pathOf = (language: Language, file: string): string =>
  ({ wgsl: 'shaders/', cpu: 'src/cpu/', wasm: 'src/wasm/kernels/' })[language] + file;

/** Files that do an op, the kernel itself last. An op has one name everywhere; these are the exceptions and the rest. */
const files: Record<Exclude<ForwardOp, 'attention'>, Record<Language, readonly string[]>> = {
  embed: { wgsl: ['embed.wgsl'], cpu: ['embed.ts'], wasm: ['rows.ts'] },
  input: { wgsl: [], cpu: [], wasm: [] },
  binary: { wgsl: ['binary.wgsl'], cpu: ['binary.ts'], wasm: ['rows.ts'] },
  normScale: { wgsl: ['norm.wgsl'], cpu: ['norm.ts'], wasm: ['norm.ts'] },
  norm: { wgsl: ['norm.wgsl'], cpu: ['norm.ts'], wasm: ['norm.ts'] },
  selectRows: { wgsl: ['select-rows.wgsl'], cpu: ['select-rows.ts'], wasm: ['rows.ts'] },
  linear: {
    wgsl: ['linear-input.wgsl', 'linear-row-input.wgsl', 'linear-row.wgsl'],
    cpu: ['linear.ts'],
    wasm: ['linear.ts', 'linear-row.ts'],
  },
  rotate: { wgsl: ['rotate.wgsl'], cpu: ['rotate.ts'], wasm: ['rows.ts'] },
  rotateAppend: { wgsl: ['rotate-append.wgsl'], cpu: ['rotate.ts'], wasm: ['rows.ts'] },
  cacheAppend: { wgsl: ['cache-append.wgsl'], cpu: ['cache-append.ts'], wasm: ['rows.ts'] },
  attentionScores: { wgsl: ['attention-scores.wgsl'], cpu: ['attention-scores.ts'], wasm: ['attention.ts'] },
  maskedSoftmax: { wgsl: ['masked-softmax.wgsl'], cpu: ['masked-softmax.ts'], wasm: ['attention.ts'] },
  attentionMix: { wgsl: ['attention-mix.wgsl'], cpu: ['attention-mix.ts'], wasm: ['attention.ts'] },
  activation: { wgsl: ['activate.wgsl', 'activation.wgsl'], cpu: ['activation.ts'], wasm: ['activation.ts'] },
  edit: { wgsl: ['edit.wgsl'], cpu: [], wasm: [] },
};

/** The files of a step in a language, the most telling last. */
export function filesOf({ ops, shaders }: Part, language: Language): string[] {
  if (language === 'wgsl' && shaders.length > 0) return [...shaders];
  const all = ops.flatMap((op) => files[op as keyof typeof files][language]);
  const main = ops.includes('linear') ? files.linear[language] : [];
  return [...new Set([...all.filter((file) => !main.includes(file)), ...main])];
}
