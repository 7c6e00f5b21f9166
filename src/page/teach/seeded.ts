import { writeSafetensors } from '../../adapter/write.ts';
import { uniform } from '../../run/random.ts';

/** A GPT-2 that has learnt nothing: weights drawn by a seed, as many blocks as one likes. */

const seededShape = { width: 48, heads: 4, words: 64, context: 32 };

/** Some words for it, one like another. */
export const seededIds = Array.from({ length: 16 }, (_, i) => (i * 7 + 3) % seededShape.words);

/** Its files. A weight has the spread 1 / sqrt(inputs), so that a layer keeps the size of what it reads (LeCun et al. 1998). */
export function seededFiles(layers: number): File[] {
  const { width, heads, words, context } = seededShape;
  const tensors = new Map<string, { data: Float32Array; shape: number[] }>();
  let drawn = 0;
  const draw = (name: string, shape: number[], spread: number) => {
    const own = ++drawn;
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    // A uniform number between -1 and 1 has the spread 1 / sqrt(3).
    for (let i = 0; i < data.length; i++) data[i] = (2 * uniform(1, i, own) - 1) * Math.sqrt(3) * spread;
    tensors.set(name, { data, shape });
  };
  const all = (name: string, length: number, value: number) =>
    tensors.set(name, { data: new Float32Array(length).fill(value), shape: [length] });
  const layer = (name: string, inputs: number, outputs: number) => {
    draw(`${name}.weight`, [inputs, outputs], inputs ** -0.5);
    all(`${name}.bias`, outputs, 0);
  };
  const norm = (name: string) => {
    all(`${name}.weight`, width, 1);
    all(`${name}.bias`, width, 0);
  };
  draw('wte.weight', [words, width], Math.SQRT1_2);
  draw('wpe.weight', [context, width], Math.SQRT1_2);
  for (let i = 0; i < layers; i++) {
    norm(`h.${i}.ln_1`);
    layer(`h.${i}.attn.c_attn`, width, 3 * width);
    layer(`h.${i}.attn.c_proj`, width, width);
    norm(`h.${i}.ln_2`);
    layer(`h.${i}.mlp.c_fc`, width, 4 * width);
    layer(`h.${i}.mlp.c_proj`, 4 * width, width);
  }
  norm('ln_f');
  const config = {
    ...{ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'], activation_function: 'gelu_new' },
    ...{ vocab_size: words, n_positions: context, n_ctx: context, n_embd: width, n_layer: layers, n_head: heads },
    layer_norm_epsilon: 1e-5,
  };
  return [
    new File([JSON.stringify(config)], 'config.json'),
    new File([writeSafetensors(tensors, { format: 'pt' })], 'model.safetensors'),
  ];
}
