import type { Edit } from '../plan/edit.ts';
import { checkOptions, integer, isSignal } from '../run/check.ts';
import type { LanguageModel, Prompt } from '../run/language-model.ts';
import { editsCheck } from '../run/options.ts';
import type { TracedTensor } from '../run/traced.ts';
import type { Traceable } from './rows.ts';

export interface OverviewOptions {
  /** Rows and columns that the picture of a pattern has at most; longer texts are pooled. 64 by default. */
  size?: number;
  edits?: readonly Edit[];
  signal?: AbortSignal;
}

/** The whole model at a glance, small enough to be drawn whatever the text's length. */
export interface Overview {
  /** [nLayer, nHead, cells, cells]: attention patterns; a cell is the largest weight of `pool` queries and `pool` keys. */
  patterns: TracedTensor;
  /** Tokens to a cell; 1 where nothing is pooled. */
  pool: number;
  /** [2 nLayer + 1, tokens]: length (L2 norm) of the residual before block 0, then after each block's attention and MLP. */
  norms: TracedTensor;
}

/** Of tensors kept at a time: the patterns of GPT-2 small are 600 MB for a full context. */
const bytesAtOnce = 2 ** 28;

/**
 * What every head attends to and how the residual grows, from as many runs of the text as memory for its patterns takes:
 * one, but for long texts.
 * @throws VitrineError as `trace` does
 */
export async function overview(
  model: Traceable & Pick<LanguageModel, 'tokenizer' | 'tensors'>,
  text: Prompt,
  options: OverviewOptions = {},
): Promise<Overview> {
  checkOptions('overview', options, { size: integer(1), edits: editsCheck, signal: isSignal });
  const { size = 64, edits = [], signal } = options;
  const { nLayer, nHead, nEmbd } = model.config;
  const ids = typeof text === 'string' ? await model.tokenizer.encode(text) : text;
  const tokens = ids.length;
  const pool = Math.ceil(tokens / size);
  const cells = Math.ceil(tokens / pool);
  const patterns = new Float32Array(nLayer * nHead * cells * cells);
  const norms = new Float32Array((2 * nLayer + 1) * tokens);
  // Where attention and MLP read the same residual (GPT-NeoX), the sum after attention alone is no tensor of the model's.
  const inTurn = model.tensors().some(({ name }) => name === 'blocks.0.hook_resid_mid');
  const after = (layer: number) =>
    (inTurn ? ['hook_resid_mid'] : ['hook_resid_pre', 'hook_attn_out']).map((name) => `blocks.${layer}.${name}`);
  const atOnce = Math.max(1, Math.floor(bytesAtOnce / (4 * tokens * (nHead * tokens + 2 * nEmbd))));
  for (let first = 0; first < nLayer; first += atOnce) {
    const layers = Array.from({ length: Math.min(atOnce, nLayer - first) }, (_, i) => first + i);
    const residuals = new Map<number, string[]>(
      layers.flatMap(
        (layer) =>
          [
            [2 * layer + 1, after(layer)],
            [2 * layer + 2, [`blocks.${layer}.hook_resid_post`]],
          ] as const,
      ),
    );
    if (first === 0) residuals.set(0, ['blocks.0.hook_resid_pre']);
    const pattern = (layer: number) => `blocks.${layer}.attn.hook_pattern`;
    const capture = [...new Set([...residuals.values()].flat()), ...layers.map(pattern)];
    const traced = await model.trace(ids, { capture, edits, logits: [], signal });
    for (const layer of layers) patterns.set(pooled(traced.get(pattern(layer))!, pool), layer * nHead * cells * cells);
    for (const [row, parts] of residuals) norms.set(lengths(parts.map((name) => traced.get(name)!)), row * tokens);
  }
  return {
    patterns: { data: patterns, shape: [nLayer, nHead, cells, cells] },
    pool,
    norms: { data: norms, shape: [2 * nLayer + 1, tokens] },
  };
}

/** The largest values of squares of a [heads, rows, columns] tensor. */
function pooled({ data, shape: [heads = 0, rows = 0, columns = 0] }: TracedTensor, pool: number): Float32Array {
  if (pool === 1) return data;
  const cells = Math.ceil(rows / pool);
  const most = new Float32Array(heads * cells * cells);
  for (let at = 0; at < data.length; at++) {
    const line = Math.floor(at / columns);
    const row = Math.floor((line % rows) / pool);
    const cell = (Math.floor(line / rows) * cells + row) * cells + Math.floor((at % columns) / pool);
    if (data[at]! > most[cell]!) most[cell] = data[at]!;
  }
  return most;
}

/** Of each row of the sum of [rows, n] tensors. */
function lengths(parts: readonly TracedTensor[]): Float32Array {
  const [rows = 0, n = 0] = parts[0]!.shape;
  return Float32Array.from({ length: rows }, (_, r) => {
    let squares = 0;
    for (let i = r * n; i < (r + 1) * n; i++) squares += parts.reduce((sum, { data }) => sum + data[i]!, 0) ** 2;
    return Math.sqrt(squares);
  });
}
