import { badCheckpoint, unsupportedCheckpoint } from '../plan/error.ts';
import type { ClassHead } from '../plan/plan.ts';
import { configFile, type LoraConfig } from './config.ts';
import { endsWith, isLeftOut, isTarget, ratioOf } from './target.ts';

/** Values with their shape, the last axis innermost. */
export interface AdapterTensor {
  data: Float32Array;
  shape: readonly number[];
}

/** What an adapter is made of: it can be sent to a worker. */
export interface AdapterContent {
  /** Where it comes from, for messages. */
  name: string;
  /** adapter_config.json, as peft writes it. */
  config: Readonly<Record<string, unknown>>;
  /** adapter_model.safetensors: its tensors by name. */
  tensors: ReadonlyMap<string, AdapterTensor>;
  /** A head on the model's features; peft has a form for it where it has a `module`. */
  head?: ClassHead;
  /** Rows of queries and keys are as llama.cpp has them: of each head the pairs that are turned side by side. */
  interleaved?: boolean;
  /** Tells it from others where it crosses into a worker again. */
  key?: string;
}

/** What is added to a module: scale * b a, of a linear layer over its inputs, of an embedding by id. */
export interface LowRank {
  /** The module's name as transformers has it, or of a GGUF file's its tensor without `.weight`. */
  module: string;
  /** [rank, inputs], or of an embedding [rank, words]. */
  a: Float32Array;
  /** [outputs, rank] */
  b: Float32Array;
  rank: number;
  inputs: number;
  outputs: number;
  scale: number;
  isEmbedding: boolean;
}

/** A tensor that takes the place of the base's, by its name in transformers. */
export interface Replaced extends AdapterTensor {
  name: string;
}

/** The parts of an adapter. */
export interface AdapterParts {
  lowRank: LowRank[];
  replaced: Replaced[];
}

/** The base's own tensors, which peft writes beside what it learnt: of an adapted module the weight, of a saved one its first state. */
const ofBase = /\.(base_layer\.weight$|original_module\.)/;
const low = /^(.+)\.lora_(embedding_)?([AB])(?:\.default)?(?:\.weight)?$/;

/**
 * Pairs the tensors of a LoRA adapter and holds them against its config.
 * @param tensors by their names in the file
 * @throws VitrineError `bad-checkpoint` where tensors and config do not fit together, `unsupported-checkpoint` for tensors of
 *   methods other than LoRA
 */
export function partsOf(
  config: LoraConfig,
  tensors: ReadonlyMap<string, AdapterTensor>,
  file: string,
  isLinear: (module: string) => boolean = () => true,
): AdapterParts {
  const halves = new Map<string, { isEmbedding: boolean; A?: AdapterTensor; B?: AdapterTensor }>();
  const byName = new Map<string, Replaced>();
  for (const [stored, tensor] of tensors) {
    const name = stored.replace(/^base_model\.model\./, '').replace(/\.modules_to_save(\.default)?\./, '.');
    const [, module, embedding, half] = low.exec(name) ?? [];
    if (module !== undefined) {
      const pair = halves.get(module) ?? { isEmbedding: embedding !== undefined };
      if (pair[half as 'A' | 'B'] || pair.isEmbedding !== (embedding !== undefined)) {
        throw badCheckpoint(`${file} holds two tensors for lora_${half} of ${module}.`);
      }
      halves.set(module, { ...pair, [half as 'A' | 'B']: tensor });
    } else if (/\.(lora_|base_layer\.(?!weight|bias))/.test(name)) {
      const hint = 'Merge the adapter in Python, with merge_and_unload(), and load the model that comes of it.';
      throw unsupportedCheckpoint(`${file} holds ${stored}, which is no part of plain LoRA.`, hint);
    } else if (!ofBase.test(name)) {
      // A saved module's bias is there twice where all biases are: as one of them too.
      const own = name.replace(/\.base_layer\.bias$/, '.bias');
      const other = byName.get(own);
      if (other?.data.some((value, i) => value !== tensor.data[i])) throw badCheckpoint(`${file} holds two ${own}.`);
      byName.set(own, { name: own, ...tensor });
    }
  }
  const replaced = [...byName.values()];
  const lowRank = [...halves].map(([module, pair]) => lowRankOf(config, module, pair, file));
  const modules = lowRank.map(({ module }) => module);
  for (const module of modules) {
    if (isTarget(config, module, isLinear(module))) continue;
    throw badCheckpoint(`${file} adapts ${module}, which target_modules in ${configFile} does not name.`);
  }
  if (lowRank.length + replaced.length === 0) throw badCheckpoint(`${file} holds no tensor of an adapter.`);
  for (const { name } of replaced) checkReplaced(config, name, modules, file);
  checkNames(config, modules, replaced, file);
  return { lowRank, replaced };
}

function lowRankOf(
  config: LoraConfig,
  module: string,
  { A, B, isEmbedding }: { A?: AdapterTensor; B?: AdapterTensor; isEmbedding: boolean },
  file: string,
): LowRank {
  const name = (half: 'A' | 'B') => `lora_${isEmbedding ? 'embedding_' : ''}${half} of ${module}`;
  if (!A || !B) throw badCheckpoint(`${file} lacks ${name(A ? 'B' : 'A')}.`, 'Save the adapter again.');
  const { rank, scale } = ratioOf(config, module);
  for (const [half, tensor, axis] of [
    ['A', A, 0],
    ['B', B, 1],
  ] as const) {
    const { shape } = tensor;
    // A convolution's are [rank, ...] and [outputs, rank, 1, 1]; as a layer over patches these are matrices.
    if (shape.length >= 2 && shape[axis] === rank && shape.every((size) => size > 0)) continue;
    const expected = axis === 0 ? `[${rank}, inputs]` : `[outputs, ${rank}]`;
    const found = `${name(half)} in ${file} has the shape [${shape}]`;
    throw badCheckpoint(`${found}; expected ${expected}, as the rank in ${configFile} makes it.`);
  }
  const [inputs, outputs] = [A.data.length / rank, B.data.length / rank];
  return { module, a: A.data, b: B.data, rank, inputs, outputs, scale, isEmbedding };
}

/** What the config names has to be there: each end of a name, and of the modules to save one at least, as peft lists all kinds of heads. */
function checkNames(config: LoraConfig, modules: readonly string[], replaced: readonly Replaced[], file: string): void {
  const { targets, excluded, layers, modulesToSave } = config;
  // A pattern of what is excluded, and the numbers of blocks, may leave out modules of the base that the file does not tell of.
  const isKnown = (name: string) =>
    modules.some((one) => endsWith(one, name)) ||
    replaced.some((one) => endsWith(one.name.replace(/\.[^.]+$/, ''), name)) ||
    typeof excluded === 'string' ||
    layers !== undefined ||
    isLeftOut(config, name);
  const unknown = typeof targets === 'string' ? undefined : targets.find((name) => !isKnown(name));
  if (unknown !== undefined) {
    throw badCheckpoint(
      `target_modules in ${configFile} names ${JSON.stringify(unknown)}, but ${file} adapts no such module.`,
      `It adapts ${modules.slice(0, 3).join(', ')}${modules.length > 3 ? ', ...' : ''}.`,
    );
  }
  if (modulesToSave.length === 0 || replaced.some(({ name }) => isSaved(modulesToSave, name))) return;
  const none = `${file} holds none of the modules_to_save in ${configFile}: ${modulesToSave.join(', ')}.`;
  throw badCheckpoint(none, 'Save it again.');
}

/** Whether a tensor is part of a module whose name ends so: `norm` are all norms too, as peft has it. */
const isSaved = (modulesToSave: readonly string[], name: string): boolean =>
  modulesToSave.some((saved) => name.includes(`${saved}.`));

/** A tensor that stands for the base's has to be asked for: as a module to save, or as a bias. */
function checkReplaced({ bias, modulesToSave }: LoraConfig, name: string, adapted: readonly string[], file: string) {
  const module = name.replace(/\.[^.]+$/, '');
  if (isSaved(modulesToSave, name)) return;
  const isBias = name.endsWith('.bias');
  if (isBias && (bias === 'all' || (bias === 'lora_only' && adapted.includes(module)))) return;
  const found = `${file} holds ${name}, which neither modules_to_save nor bias in ${configFile} asks for.`;
  throw badCheckpoint(found, 'It would take the place of the base’s tensor.');
}
