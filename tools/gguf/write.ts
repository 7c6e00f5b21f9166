import { open } from 'node:fs/promises';
import type { Checkpoint } from '../../src/load/checkpoint.ts';
import { ggufNames } from '../../src/load/gguf-names.ts';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import type { WeightSpec } from '../../src/plan/plan.ts';
import {
  aligned,
  encodeTensor,
  type Field,
  ggufHeader,
  type TensorEntry,
  type TensorType,
  tensorTypes,
} from './layout.ts';
import { tokenizerFields } from './vocabulary.ts';

export interface WriteOptions {
  type: TensorType;
  /** `general.name`. */
  name: string;
  /** Leave the vocabulary out: for readers that have GPT-2's own. */
  withoutTokenizer?: boolean;
}

/** `general.file_type` (llama.h), and the type of what four bits are too few for (docs/quantisation.md). */
const fileTypes: Record<TensorType, { id: number; finer: TensorType }> = {
  f32: { id: 0, finer: 'f32' },
  f16: { id: 1, finer: 'f16' },
  q4_0: { id: 2, finer: 'q8_0' },
  q8_0: { id: 7, finer: 'q8_0' },
};

/**
 * Writes a checkpoint as a GGUF file of the architecture gpt2, as llama.cpp's convert_hf_to_gguf.py does: layers turned
 * to [out, in], positions and vectors in f32, rows that do not divide into blocks in f16. Returns its bytes.
 */
export async function writeGguf(checkpoint: Checkpoint, file: string, options: WriteOptions): Promise<number> {
  checkExpressible(checkpoint);
  const weights = checkpoint.check(gpt2Plan(checkpoint.config).weights);
  const tensors = weights.map((weight) => tensorEntry(weight, options.type));
  const out = await open(file, 'w');
  try {
    const header = ggufHeader(await metadataOf(checkpoint, options), tensors);
    let bytes = 0;
    const write = async (part: Uint8Array) => {
      await out.writeFile(part);
      bytes += part.length;
    };
    await write(header);
    for (const [i, weight] of weights.entries()) {
      for await (const rows of checkpoint.read(weight)) await write(encodeTensor(tensors[i]!.type, rows));
      await write(new Uint8Array(aligned(bytes) - bytes));
    }
    return bytes;
  } finally {
    checkpoint.close();
    await out.close();
  }
}

/** Refuses what GGUF's gpt2 has no field for: every reader would compute something else. */
function checkExpressible({ config }: Checkpoint): void {
  const { activation, scaleAttnWeights, scaleAttnByInverseLayerIdx } = config;
  if (activation !== 'gelu_new') throw new Error(`The activation is ${activation}; GGUF's gpt2 has gelu_new only.`);
  if (!scaleAttnWeights || scaleAttnByInverseLayerIdx)
    throw new Error("GGUF's gpt2 has GPT-2's own attention scale only.");
}

function tensorEntry({ name, kind, rows, columns }: WeightSpec, type: TensorType): TensorEntry {
  const isFiner = name === 'wte.weight' || name === 'lm_head.weight' || name.endsWith('.mlp.c_fc.weight');
  const exact = kind === 'vector' || name === 'wpe.weight';
  const wanted = exact ? 'f32' : isFiner ? fileTypes[type].finer : type;
  return {
    name: ggufNames.gpt2.toGguf(name),
    type: columns % tensorTypes[wanted].block === 0 ? wanted : 'f16',
    shape: kind === 'vector' ? [columns] : [rows, columns],
  };
}

async function metadataOf(checkpoint: Checkpoint, options: WriteOptions): Promise<Map<string, Field>> {
  const { config } = checkpoint;
  const u32 = (value: number): Field => ({ type: 'u32', value });
  const string = (value: string): Field => ({ type: 'string', value });
  const files = await checkpoint.tokenizerFiles();
  const none = new Map([['tokenizer.ggml.model', string('none')]]);
  const metadata = new Map<string, Field>([
    ['general.architecture', string('gpt2')],
    ['general.type', string('model')],
    ['general.name', string(options.name)],
    ['gpt2.block_count', u32(config.nLayer)],
    ['gpt2.context_length', u32(config.nCtx)],
    ['gpt2.embedding_length', u32(config.nEmbd)],
    ['gpt2.feed_forward_length', u32(config.nInner)],
    ['gpt2.attention.head_count', u32(config.nHead)],
    ['gpt2.attention.layer_norm_epsilon', { type: 'f32', value: config.layerNormEpsilon! }],
    ['general.file_type', u32(fileTypes[options.type].id)],
    ['general.quantization_version', u32(2)],
    ...(options.withoutTokenizer ? none : await tokenizerFields(files, config.vocabSize)),
  ]);
  if (config.bosTokenId !== null) metadata.set('tokenizer.ggml.bos_token_id', u32(config.bosTokenId));
  const [eos] = config.eosTokenIds;
  if (eos !== undefined) metadata.set('tokenizer.ggml.eos_token_id', u32(eos));
  return metadata;
}
