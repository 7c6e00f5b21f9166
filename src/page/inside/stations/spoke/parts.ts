import type { Attribution } from '../../../../index.ts';
import { words } from './words.ts';

export type Kind = keyof typeof words.kinds;

/** A part of the model, as the page tells of it. */
export interface Speaker {
  part: string;
  kind: Kind;
  name: string;
  /** What is shown beside the name: the hook that it wrote to. */
  hook: string;
  layer?: number;
  head?: number;
  logit: number;
}

/** What the analysis calls a part, in words. */
export function speakerOf({ part, logit }: Attribution): Speaker {
  const own = { part, logit };
  const [, block, head] = /^blocks\.(\d+)\.attn\.head\.(\d+)$/.exec(part) ?? [];
  const layer = Number(block ?? /^blocks\.(\d+)/.exec(part)?.[1]);
  if (head !== undefined) {
    const name = words.parts.head(layer, Number(head));
    return { ...own, kind: 'heads', name, hook: `blocks.${layer}.attn.hook_z [${head}]`, layer, head: Number(head) };
  }
  if (part.endsWith('.mlp'))
    return { ...own, kind: 'mlps', name: words.parts.mlp(layer), hook: `blocks.${layer}.hook_mlp_out`, layer };
  if (part.endsWith('.attn.bias')) {
    const name = words.parts.attentionBias(layer);
    return { ...own, kind: 'attentionBias', name, hook: `blocks.${layer}.hook_attn_out`, layer };
  }
  if (part === 'bias') return { ...own, kind: 'bias', name: words.parts.bias, hook: 'ln_final' };
  if (part === 'edits') return { ...own, kind: 'edits', name: words.parts.edits, hook: 'hook_resid_post' };
  return { ...own, kind: 'embedding', name: words.parts[part as 'hook_embed' | 'hook_pos_embed'], hook: part };
}

/** [nLayer, nHead + 1]: each head's part, then the MLP's. */
export function mapOf(speakers: readonly Speaker[], nLayer: number, nHead: number): Float32Array {
  const map = new Float32Array(nLayer * (nHead + 1));
  for (const { kind, layer = 0, head = nHead, logit } of speakers) {
    if (kind === 'heads' || kind === 'mlps') map[layer * (nHead + 1) + head] = logit;
  }
  return map;
}

/** Sums by kind, in the order of the model; kinds without a part are left out. */
export function sumsOf(speakers: readonly Speaker[]): [Kind, number][] {
  return (Object.keys(words.kinds) as Kind[]).flatMap((kind) => {
    const own = speakers.filter((one) => one.kind === kind);
    return own.length > 0 ? [[kind, own.reduce((sum, { logit }) => sum + logit, 0)] as [Kind, number]] : [];
  });
}
