import { Adapter } from '../adapter/adapter.ts';
import { readLoraConfig } from '../adapter/config.ts';
import { folderTexts } from '../adapter/folder.ts';
import { headFiles } from '../adapter/head.ts';
import { moduleOf } from '../adapter/modules.ts';
import { type Base, BaseNames } from '../adapter/names.ts';
import type { AdapterContent, AdapterTensor } from '../adapter/parts.ts';
import { endsWith, isTarget } from '../adapter/target.ts';
import { utf8, writeSafetensors } from '../adapter/write.ts';
import { modelTypeOf } from '../load/checkpoint.ts';
import { badOption } from '../plan/error.ts';
import { type ClassHead, type HeadForm, piecesOf } from '../plan/plan.ts';
import { quote } from '../run/check.ts';
import type { Engine } from '../run/engine.ts';
import { uniform } from '../run/random.ts';
import { isOfHead } from './head.ts';
import { bad } from './loss.ts';
import type { Settings } from './options.ts';
import type { Param } from './params.ts';
import { readStored, storedWeights } from './stored.ts';

/** A model all of whose weights were learnt, beside the one that it was: `setAdapter` puts it on, and its files are a whole model. */
export class TrainedModel extends Adapter {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #weights: ReadonlyMap<string, AdapterTensor>;

  /** @param texts the other files of the model's folder */
  constructor(
    content: AdapterContent,
    weights: ReadonlyMap<string, AdapterTensor>,
    texts: ReadonlyMap<string, string>,
  ) {
    super(content);
    this.#weights = weights;
    this.#texts = texts;
  }

  /** @internal What it is made of, as it crosses from a worker. */
  get whole(): ConstructorParameters<typeof TrainedModel> {
    return [this.content, this.#weights, this.#texts];
  }

  /** config.json, model.safetensors and what else the folder had; a head that was made has files of its own beside them. */
  override files(): Record<string, Uint8Array<ArrayBuffer>> {
    const texts = [...this.#texts].map(([name, text]) => [name, utf8(text)] as const);
    const { head } = this.content;
    const own = head && headFiles(head);
    return {
      ...Object.fromEntries(texts),
      ...own,
      'model.safetensors': writeSafetensors(this.#weights, { format: 'pt' }),
    };
  }
}

/** @throws VitrineError `bad-option` for a base that has no folder, as a GGUF file */
export async function textsOf({ checkpoint }: Engine): Promise<Map<string, string>> {
  const texts = await folderTexts(checkpoint!);
  if (texts.has('config.json')) return texts;
  const hint = 'Load it from a folder with config.json, or train with method: "lora".';
  throw badOption('method is "full", and the model comes of a single file.', hint);
}

/** A task's own head, by the names of its parts: what tells classes or answers, and no words. */
const taskHead = /^(pre_classifier|classifier|qa_outputs|cls_classifier|distillation_classifier)\./;

/**
 * What is put on when nothing is given: products of the layers of the blocks, a as peft begins it, b nothing.
 * @param keepsHead the model's own task head is learnt too
 */
export async function freshAdapter(
  engine: Engine,
  { rank = 8, alpha = 16, rslora = false, targets, seed }: Settings,
  keepsHead: boolean,
): Promise<Adapter> {
  const { family, config } = engine.checkpoint!;
  const base = { family, config, plan: engine.base };
  const names = new BaseNames(base);
  const heads = keepsHead ? [...storedWeights(engine).values()].filter(({ planName }) => taskHead.test(planName)) : [];
  const saved = [...new Set(heads.map(({ planName }) => taskHead.exec(planName)![1]!))];
  const modules = modulesOf(base);
  const linear = modules.filter((module) => names.isLinear(module));
  const ends = linear.flatMap((module) => /\.\d+\.(.*)$/.exec(module)?.[1] ?? []);
  const json = {
    peft_type: 'LORA',
    base_model_name_or_path: engine.checkpoint!.name,
    ...{ r: rank, lora_alpha: alpha, use_rslora: rslora, lora_dropout: 0, bias: 'none', inference_mode: true },
    target_modules: targets ?? [...new Set(ends)],
    fan_in_fan_out: modelTypeOf({ family, config }) === 'gpt2',
    modules_to_save: saved.length > 0 ? saved : null,
    task_type: null,
  };
  const lora = readLoraConfig(json);
  const chosen = modules.filter((module) => isTarget(lora, module, linear.includes(module)));
  const isNone = (name: string) => !modules.some((module) => endsWith(module, name));
  const unknown = chosen.length === 0 ? targets : typeof targets === 'object' ? targets.find(isNone) : undefined;
  if (unknown !== undefined) {
    throw bad(`targets names ${quote(unknown)}, no layer of this model`, `some of ${[...new Set(ends)].join(', ')}`);
  }
  const tensors = new Map<string, AdapterTensor>();
  for (const [i, module] of chosen.entries()) {
    const place = names.find(`${module}.weight`);
    if (place === undefined || place === 'idle') continue;
    const put = (half: string, data: Float32Array, ...shape: number[]) =>
      tensors.set(`base_model.model.${module}.lora_${half}`, { data, shape });
    const { rows, columns } = place.spec;
    if (names.isTable(place)) {
      // As peft begins a table: a nothing, b of a normal distribution.
      put('embedding_A', new Float32Array(rank * rows), rank, rows);
      const b = Float32Array.from({ length: columns * rank }, (_, at) => normal(seed, 2 * at, i));
      put('embedding_B', b, columns, rank);
      continue;
    }
    const bound = 1 / Math.sqrt(columns);
    const a = Float32Array.from({ length: rank * columns }, (_, at) => (2 * uniform(seed, at, i) - 1) * bound);
    put('A.weight', a, rank, columns);
    put('B.weight', new Float32Array(place.length * rank), place.length, rank);
  }
  for (const stored of heads) {
    const data = await readStored(engine, stored);
    tensors.set(`base_model.model.${stored.planName}`, { data, shape: stored.shape });
  }
  return new Adapter({ name: 'the trained adapter', config: json, tensors });
}

/** A draw of the standard normal distribution, of two uniform ones (Box & Muller 1958). */
const normal = (seed: number, at: number, sequence: number): number =>
  Math.sqrt(-2 * Math.log(1 - uniform(seed, at, sequence))) * Math.cos(2 * Math.PI * uniform(seed, at + 1, sequence));

/** Modules that may have a product: layers, tables of words, and the other names of a tied one, by their names in transformers. */
function modulesOf(base: Base): string[] {
  const { family, config, plan } = base;
  const names = new BaseNames(base);
  const matrices = plan.weights.filter(({ kind }) => kind === 'matrix');
  const own = matrices.flatMap((spec) => piecesOf(spec).map(({ name }) => name));
  const all = new Set([...own, ...family.ties(config).flat()]);
  return [...all].flatMap((name) => {
    if (!name.endsWith('.weight')) return [];
    const module = moduleOf(base, name.slice(0, -'.weight'.length));
    const place = names.find(`${module}.weight`);
    if (place === undefined || place === 'idle' || names.isBias(place)) return [];
    return names.isTable(place) || names.isLayer(place) ? [module] : [];
  });
}

/** What was learnt, as an adapter of peft's form: copies of the parameters. */
export function adapterOf(
  params: readonly Learnt[],
  config: Readonly<Record<string, unknown>>,
  form: HeadForm | undefined,
): Adapter {
  const head = headIn(params, form);
  const tensors = copiesOf(params.filter((param) => !isOfHead(param)));
  return new Adapter({ name: 'the trained adapter', config, tensors, ...(head && { head }) });
}

type Learnt = Pick<Param, 'name' | 'shape' | 'values'>;

function headIn(params: readonly Learnt[], form: HeadForm | undefined): ClassHead | undefined {
  const [weight, bias] = params.filter(isOfHead).map(({ values }) => values.slice());
  return form && weight && bias && { ...form, weight, bias };
}

function copiesOf(params: readonly Learnt[]): Map<string, AdapterTensor> {
  return new Map(params.map(({ name, shape, values }) => [name, { data: values.slice(), shape }]));
}

/** What was learnt of all weights, as something that can be put on, and a model's files. */
export function modelOf(
  engine: Engine,
  params: readonly Param[],
  texts: ReadonlyMap<string, string>,
  form: HeadForm | undefined,
): TrainedModel {
  const weights = copiesOf(params.filter((param) => !isOfHead(param)));
  const head = headIn(params, form);
  const { family, config } = engine.checkpoint!;
  const ties = family.ties(config);
  const names = new BaseNames({ family, config, plan: engine.base });
  const tensors = new Map<string, AdapterTensor>();
  const places = new Set<string>();
  for (const [name, tensor] of weights) {
    // Each use of a tied tensor goes by a name of its own.
    const tie = ties.find((all) => all.includes(family.nameOf(name) ?? name));
    for (const one of tie ?? [name]) {
      const place = names.find(one);
      if (place === undefined || place === 'idle' || places.has(`${place.part} ${place.uses}`)) continue;
      places.add(`${place.part} ${place.uses}`);
      tensors.set(`base_model.model.${one}`, tensor);
    }
  }
  const saved = [...tensors.keys()].map((name) => name.replace(/^base_model\.model\./, '').replace(/\.[^.]+$/, ''));
  const json = { peft_type: 'LORA', r: 1, lora_alpha: 1, target_modules: 'none', modules_to_save: [...new Set(saved)] };
  const content = { name: 'the trained model', config: json, tensors, ...(head && { head }) };
  return new TrainedModel(content, weights, texts);
}
