import { isObject } from '../load/files.ts';
import { badCheckpoint, unsupportedCheckpoint, type VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';

/** What adapter_config.json says of a LoRA adapter (Hu et al. 2021), as peft writes it. */
export interface LoraConfig {
  rank: number;
  alpha: number;
  /** The scale is alpha / sqrt(rank) (Kalajdzievski 2023). */
  rslora: boolean;
  /** Other ranks and alphas of the modules that a key matches. */
  rankPattern: ReadonlyMap<string, number>;
  alphaPattern: ReadonlyMap<string, number>;
  /** Ends of module names, a pattern of whole names, or `all-linear`. */
  targets: readonly string[] | string;
  /** As `targets`: modules that are none. */
  excluded: readonly string[] | string;
  bias: 'none' | 'all' | 'lora_only';
  modulesToSave: readonly string[];
  /** The blocks whose modules are adapted; undefined for all. */
  layers: readonly number[] | undefined;
  /** What a block's number stands behind, as `layers`; any name where there is none. */
  layersPattern: readonly string[];
  /** The file itself. */
  json: Readonly<Record<string, unknown>>;
}

export const configFile = 'adapter_config.json';
export const weightFile = 'adapter_model.safetensors';

/** Settings that change the result in ways that are not computed here; what leaves them off is null, false or empty. */
const foreign = [
  'use_dora',
  'use_qalora',
  'use_bdlora',
  'lora_bias',
  'layer_replication',
  'trainable_token_indices',
  'target_parameters',
  'alora_invocation_tokens',
  'loftq_config',
  'corda_config',
  'eva_config',
  'arrow_config',
  'lora_ga_config',
  'kasa_config',
  'monteclora_config',
];
/** Ways to begin that change the base too. */
const changesBase = /^(pissa|olora|loftq|corda)/i;

const most = { rank: 1 << 14, layer: 1 << 12 };

/**
 * Reads adapter_config.json.
 * @throws VitrineError `bad-checkpoint` for a field that is no such thing, `unsupported-checkpoint` for a method other than LoRA
 *   and for settings of it that would change the result
 */
export function readLoraConfig(json: unknown): LoraConfig {
  if (!isObject(json)) throw bad('', json, 'an object with the fields of an adapter');
  const { peft_type: type } = json;
  if (typeof type !== 'string') throw bad('peft_type', type, '"LORA"');
  if (type !== 'LORA') throw unsupported('peft_type', type, '"LORA"');
  for (const name of foreign) if (!isOff(json[name])) throw unsupported(name, json[name], 'none');
  const begun = json.init_lora_weights;
  if (typeof begun === 'string' && changesBase.test(begun)) {
    const expected = 'a way to begin that leaves the base as it is';
    const hint = 'In Python, save_pretrained with path_initial_model_for_weight_conversion makes a plain LoRA of it.';
    throw unsupported('init_lora_weights', begun, expected, hint);
  }
  return {
    rank: whole('r', json.r, 1, most.rank),
    alpha: finite('lora_alpha', json.lora_alpha),
    rslora: flag(json, 'use_rslora'),
    rankPattern: pattern(json, 'rank_pattern', (name, value) => whole(name, value, 1, most.rank)),
    alphaPattern: pattern(json, 'alpha_pattern', finite),
    targets: targetsOf(json, 'target_modules', true),
    excluded: targetsOf(json, 'exclude_modules', false),
    bias: biasOf(json.bias ?? 'none'),
    modulesToSave: names(json, 'modules_to_save'),
    layers: layersOf(json),
    layersPattern: layersPatternOf(json),
    json,
  };
}

function bad(field: string, value: unknown, expected: string): VitrineError {
  const found = field ? `${field} in ${configFile}` : configFile;
  return badCheckpoint(`${found} is ${show(value)}; expected ${expected}.`, 'peft writes it with save_pretrained.');
}

function unsupported(
  field: string,
  value: unknown,
  expected: string,
  hint = 'Merge it in Python, with merge_and_unload(), and load the model that comes of it.',
): VitrineError {
  const found = `${field} in ${configFile} is ${show(value)}`;
  return unsupportedCheckpoint(`${found}, which is not computed here; expected ${expected}.`, hint);
}

const isOff = (value: unknown = null) =>
  value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);

function whole(name: string, value: unknown, least: number, limit: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= limit) return value as number;
  throw bad(name, value, `an integer from ${least} to ${limit}`);
}

function finite(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw bad(name, value, 'a number');
}

function flag(json: Record<string, unknown>, name: string): boolean {
  const value = json[name] ?? false;
  if (typeof value !== 'boolean') throw bad(name, value, 'true or false');
  return value;
}

function names(json: Record<string, unknown>, name: string): string[] {
  const value = json[name] ?? [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '')) return value as string[];
  throw bad(name, value, 'a list of module names');
}

function pattern(json: Record<string, unknown>, name: string, check: (name: string, value: unknown) => number) {
  const value = json[name] ?? {};
  if (!isObject(value)) throw bad(name, value, 'an object of module names and numbers');
  const found = Object.entries(value).map(([key, one]) => [key, check(`${name}.${key}`, one)] as const);
  for (const [key] of found) expression(`(.*\\.)?(${key})$`, name); // one that is none is told here
  return new Map(found);
}

function targetsOf(json: Record<string, unknown>, name: string, needed: boolean): readonly string[] | string {
  const value = json[name] ?? [];
  if (typeof value !== 'string') {
    const list = names(json, name);
    if (needed && list.length === 0) throw bad(name, json[name], 'the names of the adapted modules');
    return list;
  }
  if (value === '') throw bad(name, value, 'the names of the adapted modules');
  if (value !== 'all-linear') expression(value, name);
  return value;
}

function biasOf(value: unknown): LoraConfig['bias'] {
  if (value === 'none' || value === 'all' || value === 'lora_only') return value;
  throw bad('bias', value, '"none", "all" or "lora_only"');
}

function layersOf(json: Record<string, unknown>): number[] | undefined {
  const value = json.layers_to_transform ?? undefined;
  if (value === undefined) return undefined;
  const list = Array.isArray(value) ? value : [value];
  return list.length === 0 ? undefined : list.map((one) => whole('layers_to_transform', one, 0, most.layer));
}

function layersPatternOf(json: Record<string, unknown>): string[] {
  const { layers_pattern: value } = json;
  const list = typeof value === 'string' ? [value].filter(Boolean) : names(json, 'layers_pattern');
  for (const one of list) expression(one, 'layers_pattern'); // one that is none is told here
  return list;
}

/**
 * A pattern of Python's that has to match a whole name.
 * @throws VitrineError `unsupported-checkpoint` for one that JavaScript does not read
 */
export function expression(pattern: string, field: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const body = pattern
    .slice(flags?.[0].length ?? 0)
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\A/g, '^')
    .replace(/\\Z/g, '$');
  try {
    return new RegExp(`^(?:${body})$`, flags?.[1] ?? '');
  } catch (cause) {
    throw unsupported(field, pattern, 'a pattern that JavaScript reads too', `${(cause as Error).message}.`);
  }
}
