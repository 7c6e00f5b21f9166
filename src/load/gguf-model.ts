import { type ModelConfig, parseConfig } from '../model/config.ts';
import { VitrineError } from '../plan/error.ts';
import { badCheckpoint } from './files.ts';
import type { GgufFile } from './gguf.ts';
import { ggufNames } from './gguf-names.ts';
import { ggufTypes } from './gguf-types.ts';
import type { TensorLayout } from './tensors.ts';

/** Fields of config.json, and what GGUF calls them. */
const configFields = new Map([
  ['n_layer', 'gpt2.block_count'],
  ['n_head', 'gpt2.attention.head_count'],
  ['n_embd', 'gpt2.embedding_length'],
  ['n_inner', 'gpt2.feed_forward_length'],
  ['n_positions', 'gpt2.context_length'],
  ['layer_norm_epsilon', 'gpt2.attention.layer_norm_epsilon'],
  ['vocab_size', 'the length of token_embd.weight'],
  ['bos_token_id', 'tokenizer.ggml.bos_token_id'],
  ['eos_token_id', 'tokenizer.ggml.eos_token_id'],
]);

/**
 * The config in a GGUF file's metadata, as config.json would have it. The output layer is the token embedding unless
 * there is one of its own.
 * @throws VitrineError `unsupported-checkpoint` for another architecture or a part of a model, `bad-checkpoint`
 */
export function ggufConfig({ fields, tensors }: GgufFile, file: string): ModelConfig {
  if (fields.get('general.type') === 'adapter') {
    const hint = 'Merge it first: llama-export-lora.';
    throw new VitrineError('unsupported-checkpoint', `${file} is a LoRA adapter, not a whole model.`, { hint });
  }
  const architecture = fields.get('general.architecture');
  if (architecture !== 'gpt2') {
    const found = architecture === undefined ? 'missing' : JSON.stringify(architecture);
    throw new VitrineError('unsupported-checkpoint', `general.architecture in ${file} is ${found}; expected "gpt2".`, {
      hint: 'Vitrine runs models of the GPT-2 family.',
    });
  }
  const parts = Number(fields.get('split.count') ?? 1);
  if (parts > 1) {
    throw new VitrineError(
      'unsupported-checkpoint',
      `${file} is one of ${parts} parts of a model; expected a whole one.`,
      {
        hint: 'Join them: llama-gguf-split --merge.',
      },
    );
  }
  const json: Record<string, unknown> = {};
  for (const [name, field] of configFields) json[name] = fields.get(field);
  const epsilon = fields.get('gpt2.attention.layer_norm_epsilon');
  if (typeof epsilon === 'number') json.layer_norm_epsilon = Number(epsilon.toPrecision(7)); // 1e-5, not its float32
  if (tensors.length === 0) {
    const hint = 'It is made to test tokenizers; the weights are in another file.';
    throw badCheckpoint(`${file} holds a vocabulary and no weights.`, hint);
  }
  const [words, output] = ['token_embd.weight', 'output.weight'].map((wanted) =>
    tensors.find(({ name }) => name === wanted),
  );
  json.vocab_size = (words ?? output)?.shape[0];
  if (json.vocab_size === undefined) throw badCheckpoint(`${file} lacks the tensor token_embd.weight.`);
  json.tie_word_embeddings = !words || !output;
  return parseConfig(json, file, (name) => configFields.get(name) ?? name);
}

export function ggufLayout({ fields }: GgufFile, file: string): TensorLayout {
  return {
    config: 'its metadata',
    layerCount: 'gpt2.block_count',
    types: ggufTypes,
    transposes: false,
    planName: ggufNames.toHub,
    body: /./,
    fileName: ggufNames.toGguf,
    tokenizer: ['none', 'no_vocab'].includes(String(fields.get('tokenizer.ggml.model') ?? 'none'))
      ? {}
      : { gguf: { fields, file } },
  };
}
