import { halfFromFloat } from '../../src/plan/half.ts';

/** The sizes of a GPT-2. */
export interface Shape {
  layers: number;
  embd: number;
  heads: number;
  vocab: number;
  ctx: number;
}

export const shapes = {
  'GPT-2 small': { layers: 12, embd: 768, heads: 12, vocab: 50257, ctx: 1024 },
  'GPT-2 medium': { layers: 24, embd: 1024, heads: 16, vocab: 50257, ctx: 1024 },
  'a small one, for trying': { layers: 2, embd: 64, heads: 2, vocab: 50257, ctx: 1024 },
} satisfies Record<string, Shape>;

/** Values that weights are drawn from: Gaussian by quantiles would be no better for a benchmark than these, evenly spaced. */
const levels = 1 << 12;

/** A checkpoint of seeded random weights in float16, made here so that nothing needs to be downloaded. */
export function seededModel({ layers, embd, heads, vocab, ctx }: Shape, seed = 1): File[] {
  const header: Record<string, unknown> = {};
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  let state = seed;
  const add = (name: string, shape: number[], centre: number, range: number) => {
    const count = shape.reduce((product, axis) => product * axis);
    const table = Uint16Array.from({ length: levels }, (_, i) =>
      halfFromFloat(centre + range * ((2 * i) / levels - 1)),
    );
    const values = new Uint16Array(count);
    for (let i = 0; i < count; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0; // a linear congruence; its high bits are good enough
      values[i] = table[state >>> 20]!;
    }
    parts.push(new Uint8Array(values.buffer));
    header[name] = { dtype: 'F16', shape, data_offsets: [total, (total += 2 * count)] };
  };
  const layer = (name: string, nIn: number, nOut: number) => {
    add(`${name}.weight`, [nIn, nOut], 0, 1.7 / Math.sqrt(nIn));
    add(`${name}.bias`, [nOut], 0, 0.1);
  };
  const norm = (name: string) => {
    add(`${name}.weight`, [embd], 1, 0.2);
    add(`${name}.bias`, [embd], 0, 0.1);
  };
  add('wte.weight', [vocab, embd], 0, 0.1);
  add('wpe.weight', [ctx, embd], 0, 0.1);
  for (let i = 0; i < layers; i++) {
    norm(`h.${i}.ln_1`);
    layer(`h.${i}.attn.c_attn`, embd, 3 * embd);
    layer(`h.${i}.attn.c_proj`, embd, embd);
    norm(`h.${i}.ln_2`);
    layer(`h.${i}.mlp.c_fc`, embd, 4 * embd);
    layer(`h.${i}.mlp.c_proj`, 4 * embd, embd);
  }
  norm('ln_f');

  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer);
  const config = {
    ...{ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'], activation_function: 'gelu_new' },
    ...{ vocab_size: vocab, n_positions: ctx, n_ctx: ctx, n_embd: embd, n_layer: layers, n_head: heads },
    ...{ layer_norm_epsilon: 1e-5, bos_token_id: vocab - 1, eos_token_id: vocab - 1 },
  };
  return [new File([JSON.stringify(config)], 'config.json'), new File([length, text, ...parts], 'model.safetensors')];
}
