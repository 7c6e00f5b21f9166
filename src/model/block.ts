import type { Layer, PlanBuilder } from '../plan/builder.ts';
import type { Activation, Norm } from '../plan/plan.ts';
import type { DecoderConfig } from './family.ts';

/** Attention of a block over a key source, whose heads are as wide as the queries'. */
export interface Attention {
  /** Queries, keys and values side by side, of as many query heads as its width has room for. */
  qkv: Layer;
  out: Layer;
  /** The key source that takes the rows' keys and values, and that they see. */
  keys: string;
  /** Of the scores: 1 / sqrt(headDim) if absent. */
  scale?: number | undefined;
  /** A row sees so many of the last keys at most. */
  window?: number | undefined;
  /** What is added to the scores by distance. */
  bias?: string;
  /** The table by which queries and keys are turned. */
  rotary?: string;
  /** Each head's queries and keys are normed before that. */
  headNorms?: { q: Norm; k: Norm };
}

/** Attention over what the encoder wrote: queries of this row, keys of a memory. */
export interface CrossAttention extends Pick<Attention, 'out' | 'keys' | 'scale'> {
  q: Layer;
}

/** down(act(up(x))), or gated: `up` makes two results side by side, and the second multiplies what the activation made of the first. */
export interface Mlp {
  up: Layer;
  activation: Activation;
  down: Layer;
  isGated?: boolean;
}

/** A transformer block, by what it is made of. The norms are in the order of the parts that they belong to. */
export interface Block {
  attention: Attention;
  cross?: CrossAttention | undefined;
  mlp: Mlp;
  norms: readonly Norm[];
  /**
   * `pre`: each part reads a norm of the residual stream (GPT-2, Radford et al. 2019); `post`: each sum is normed, as in 2017 (Vaswani
   * et al.); `parallel`: attention and MLP read norms of the same residual, and both are added to it (GPT-J, Wang & Komatsuzaki 2021).
   */
  style?: 'pre' | 'post' | 'parallel';
}

/** Writes a block down: x [rows, nEmbd] -> the residual stream behind it. Tensor names are TransformerLens's. */
export function addBlock(b: PlanBuilder, hook: string, x: string, block: Block): string {
  const { attention, cross, mlp, norms, style = 'pre' } = block;
  const before = `${hook}.hook_resid_pre`;
  // TransformerLens names the residual between two blocks twice.
  if (x !== before) b.alias(before, x);
  let count = 0;
  /** x + f(x) with its norm. */
  const residual = (x: string, sum: string, f: (x: string) => string) => {
    const norm = norms[count++]!;
    const ln = `${hook}.ln${count}`;
    if (style !== 'post') return b.add(`${hook}.${sum}`, x, f(b.norm(ln, x, norm)));
    const last = sum === 'hook_resid_post' ? `${hook}.hook_normalized_resid_post` : undefined;
    return b.norm(ln, b.add(`${hook}.${sum}`, x, f(x)), norm, last);
  };
  if (style === 'parallel') {
    const attended = residual(x, 'sum', (x) => addAttention(b, hook, x, attention));
    const out = addMlp(b, hook, b.norm(`${hook}.ln2`, x, norms[1]!), mlp);
    return b.add(`${hook}.hook_resid_post`, attended, out);
  }
  x = residual(x, 'hook_resid_mid', (x) => addAttention(b, hook, x, attention));
  if (cross) x = residual(x, 'hook_resid_mid_cross', (x) => addCrossAttention(b, hook, x, cross));
  return residual(x, 'hook_resid_post', (x) => addMlp(b, hook, x, mlp));
}

function addAttention(b: PlanBuilder, hook: string, x: string, of: Attention): string {
  const { qkv, keys, headNorms, rotary, scale } = of;
  const attn = `${hook}.attn`;
  const { nHead: nKeyHead, headDim } = b.sourceOf(keys);
  const nHead = b.widthOf(qkv) / headDim - 2 * nKeyHead;
  const heads = (part: string, count: number) => [`${attn}.hook_${part}`, count, headDim] as const;
  const outputs = [heads('q', nHead), heads('k', nKeyHead), heads('v', nKeyHead)];
  let [q, k, v] = b.linear(x, qkv, ...outputs) as [string, string, string];
  if (headNorms) {
    q = b.norm(`${attn}.q_norm`, q, headNorms.q);
    k = b.norm(`${attn}.k_norm`, k, headNorms.k);
  }
  if (rotary !== undefined) {
    q = b.rotate(`${attn}.hook_rot_q`, q, rotary);
    k = b.rotate(`${attn}.hook_rot_k`, k, rotary);
  }
  b.append(k, v, keys);
  return b.dense(`${hook}.hook_attn_out`, b.attention(attn, q, keys, scale ?? 1 / Math.sqrt(headDim), of), of.out);
}

function addCrossAttention(b: PlanBuilder, hook: string, x: string, of: CrossAttention): string {
  const attn = `${hook}.cross_attn`;
  const { headDim } = b.sourceOf(of.keys);
  const [q] = b.linear(x, of.q, [`${attn}.hook_q`, b.widthOf(of.q) / headDim, headDim]);
  const z = b.attention(attn, q!, of.keys, of.scale ?? 1 / Math.sqrt(headDim));
  return b.dense(`${hook}.hook_cross_attn_out`, z, of.out);
}

/** Fills a key source with keys and values of what was encoded, for a block of the decoder. */
export function addMemory(b: PlanBuilder, hook: string, encoded: string, kv: Layer, memory: string): string {
  const { nHead, headDim } = b.sourceOf(memory);
  const outputs = ['k', 'v'].map((part) => [`${hook}.cross_attn.hook_${part}`, nHead, headDim] as const);
  const [k, v] = b.linear(encoded, kv, ...outputs);
  b.append(k!, v!, memory);
  return memory;
}

function addMlp(b: PlanBuilder, hook: string, x: string, { up, activation, down, isGated }: Mlp): string {
  const mlp = `${hook}.mlp`;
  if (!isGated) {
    const post = b.activate(`${mlp}.hook_post`, activation, b.dense(`${mlp}.hook_pre`, x, up));
    return b.dense(`${hook}.hook_mlp_out`, post, down);
  }
  const width = b.widthOf(up) / 2;
  const [gate, linear] = b.linear(x, up, [`${mlp}.hook_pre`, width], [`${mlp}.hook_pre_linear`, width]);
  const post = b.multiply(`${mlp}.hook_post`, b.activate(`${mlp}.hook_gate`, activation, gate!), linear!);
  return b.dense(`${hook}.hook_mlp_out`, post, down);
}

/** The norm behind the last block, and the layer that chooses words: the words' own, or where they are not tied, `head`. */
export function chooseWords(
  b: PlanBuilder,
  { tieWordEmbeddings, vocabSize, nEmbd }: DecoderConfig,
  x: string,
  norm: Norm,
  [words, head]: readonly [words: string, head: string],
): void {
  const normed = b.norm('ln_final', x, norm);
  b.alias('ln_final_out', normed);
  const weight = tieWordEmbeddings ? words : b.matrix(head, vocabSize, nEmbd);
  b.dense('logits', b.select('selected', normed), { weight });
}
