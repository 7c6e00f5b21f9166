import type { Files } from '../load/files.ts';
import { readGguf } from '../load/gguf.ts';
import { ggufNames } from '../load/gguf-names.ts';
import { ggufTypes } from '../load/gguf-types.ts';
import { valuesOf } from '../load/small-tensors.ts';
import { transposeRows } from '../load/values.ts';
import { badCheckpoint, unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import { Adapter } from './adapter.ts';
import type { AdapterTensor } from './parts.ts';

/** `general.architecture`, the names of its tensors, and what transformers puts before them. */
const architectures = {
  gpt2: { names: ggufNames.gpt2, before: 'transformer.', interleaved: false },
  llama: { names: ggufNames.llama, before: 'model.', interleaved: true },
  qwen2: { names: ggufNames.llama, before: 'model.', interleaved: false },
  qwen3: { names: ggufNames.llama, before: 'model.', interleaved: false },
  gptneox: { names: ggufNames.gptneox, before: 'gpt_neox.', interleaved: true },
} as const;

/**
 * A LoRA adapter as llama.cpp's convert_lora_to_gguf.py writes it, in peft's terms: each pair of tensors `NAME.lora_a` [rank, in] and
 * `NAME.lora_b` [out, rank], their scale alpha / rank, or 1 where there is no alpha.
 */
export async function readGgufAdapter(files: Files, file: string, signal?: AbortSignal): Promise<Adapter> {
  const gguf = await readGguf(files, file, signal);
  if (!gguf) throw files.missing(file);
  const { fields, tensors: stored } = gguf;
  const field = (name: string) => fields.get(name);
  if (field('general.type') !== 'adapter') {
    const found = `general.type in ${file} is ${show(field('general.type'))}`;
    throw badCheckpoint(`${found}; expected "adapter".`, 'It is no adapter.');
  }
  if (field('adapter.type') !== 'lora') throw unsupported('adapter.type', field('adapter.type'), file, '"lora"');
  const alora = 'adapter.alora.invocation_tokens';
  if (fields.has(alora)) throw unsupported(alora, 'set', file, 'none');
  const name = String(field('general.architecture'));
  if (!Object.hasOwn(architectures, name)) {
    throw unsupported('general.architecture', name, file, Object.keys(architectures).map(show).join(', '));
  }
  const { names, before, interleaved } = architectures[name as keyof typeof architectures];
  const odd = stored.find(({ dtype }) => !ggufTypes.has(dtype));
  if (odd) throw unsupported(odd.name, odd.dtype, file, [...ggufTypes.keys()].join(', '));
  const read = await valuesOf(files, file, stored, ggufTypes, signal);
  const values = name === 'gpt2' ? asInputsToOutputs(read) : read;
  const tensors = new Map<string, AdapterTensor>();
  const ranks = new Map<string, number>();
  const saved: string[] = [];
  const moduleOf = (own: string) => {
    const hub = names.toHub(`${own}.weight`).replace(/\.weight$/, '');
    return /^(lm_head|embed_out)$/.test(hub) ? hub : `${before}${hub}`;
  };
  for (const [whole, tensor] of values) {
    const [, norm, kind] = /^((?:blk\.\d+\.)?\w+_norm)\.(weight|bias)$/.exec(whole) ?? [];
    if (norm !== undefined) {
      // mergekit's adapters have whole norms beside their products.
      saved.push(moduleOf(norm));
      tensors.set(`base_model.model.${moduleOf(norm)}.${kind}`, tensor);
      continue;
    }
    const [, own, half] = /^(.+)\.weight\.lora_([ab])$/.exec(whole) ?? [];
    if (own === undefined)
      throw badCheckpoint(`${file} holds ${whole}; expected tensors that end in .lora_a or .lora_b.`);
    const module = moduleOf(own);
    const b = values.get(`${own}.weight.lora_b`);
    const isTable = own === 'token_embd' || own === 'position_embd';
    if (half === 'b' && tensor.shape.length === 2) ranks.set(module, tensor.shape[1]!);
    const end = isTable ? `lora_embedding_${half!.toUpperCase()}` : `lora_${half!.toUpperCase()}.weight`;
    // Of a table that is looked up, llama.cpp has a row a word.
    const isTurned = isTable && half === 'a' && tensor.shape[0] !== b?.shape[1];
    tensors.set(`base_model.model.${module}.${end}`, isTurned ? turned(tensor) : tensor);
  }
  const alpha = Number(field('adapter.lora.alpha') ?? 0);
  const config = { ...configOf(ranks, alpha), modules_to_save: saved.length > 0 ? [...new Set(saved)] : null };
  return new Adapter({ name: file, config, tensors, ...(interleaved && { interleaved }) });
}

/**
 * Of GPT-2, whose layers lie [in, out], llama.cpp's converter exchanges the two halves, and turns each: a is [rank, out] and b
 * [in, rank]. Layers that are not square tell it of the file.
 */
function asInputsToOutputs(values: ReadonlyMap<string, AdapterTensor>): ReadonlyMap<string, AdapterTensor> {
  const layer = /^blk\.\d+\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight\.lora_a$/;
  const pairs = [...values].flatMap(([name, a]) => {
    const b = values.get(name.replace(/a$/, 'b'));
    return layer.test(name) && b ? [{ name, a, b, widens: b.shape[0]! - a.shape[1]! }] : [];
  });
  const isExchanged = pairs.some(({ name, widens }) => (/ffn_down/.test(name) ? widens > 0 : widens < 0));
  if (!isExchanged) return values;
  const own = pairs.flatMap(({ name, a, b }): [string, AdapterTensor][] => [
    [name, turned(b)],
    [name.replace(/a$/, 'b'), turned(a)],
  ]);
  return new Map([...values, ...own]);
}

function turned({ data, shape }: AdapterTensor): AdapterTensor {
  const [rows, columns] = shape as [number, number];
  return { data: transposeRows(data, columns, 0, new Float32Array(data.length), rows), shape: [columns, rows] };
}

function configOf(ranks: ReadonlyMap<string, number>, alpha: number): Record<string, unknown> {
  const rank = Math.max(0, ...ranks.values());
  const unlike = [...ranks].filter(([, own]) => own !== rank);
  const others = unlike.map(([module, own]) => [module.replaceAll('.', '\\.'), own]);
  return {
    peft_type: 'LORA',
    r: rank,
    lora_alpha: alpha === 0 ? rank : alpha,
    target_modules: [...ranks.keys()],
    rank_pattern: Object.fromEntries(others),
    // Without an alpha each scale is 1.
    alpha_pattern: alpha === 0 ? Object.fromEntries(others) : {},
    bias: 'none',
    base_model_name_or_path: null,
  };
}

function unsupported(name: string, found: unknown, file: string, expected: string): VitrineError {
  const hint = 'Merge it into its model with llama-export-lora.';
  return unsupportedCheckpoint(`${name} in ${file} is ${show(found)}; expected ${expected}.`, hint);
}
