import { type Files, isObject, parseJson, readText } from '../load/files.ts';
import { readSmallTensors } from '../load/small-tensors.ts';
import { badCheckpoint } from '../plan/error.ts';
import type { ClassHead } from '../plan/plan.ts';
import type { AdapterContent, AdapterTensor } from './parts.ts';
import { utf8, writeSafetensors } from './write.ts';

const [jsonFile, tensorFile] = ['head.json', 'head.safetensors'];

/** A head's files: head.json with its labels, the width of its features and its form, head.safetensors with `weight` and `bias`. */
export function headFiles({ weight, bias, ...form }: ClassHead): Record<string, Uint8Array<ArrayBuffer>> {
  const { labels } = form;
  const features = weight.length / labels.length;
  const tensors = new Map([
    ['weight', { data: weight, shape: [labels.length, features] }],
    ['bias', { data: bias, shape: [labels.length] }],
  ]);
  const json = `${JSON.stringify({ ...form, features }, null, 2)}\n`;
  return { [jsonFile]: utf8(json), [tensorFile]: writeSafetensors(tensors, { format: 'pt' }) };
}

/** A head as peft has it: a module that is saved whole, by its names in transformers. */
export function headTensors({ labels, weight, bias, module }: ClassHead): Map<string, AdapterTensor> {
  const name = `base_model.model.${module}`;
  return new Map([
    [`${name}.weight`, { data: weight, shape: [labels.length, weight.length / labels.length] }],
    [`${name}.bias`, { data: bias, shape: [labels.length] }],
  ]);
}

/**
 * What an adapter has beside its head, which is among its tensors too where it has a module. Without a head.json the `score` of a
 * decoder that tells classes is one: no other model has such a module.
 */
export function apartFromHead(
  { config, tensors, head, ...content }: AdapterContent,
  file: string,
  name = 'score',
): AdapterContent {
  const module = head ? head.module : name;
  const saves = '(?:modules_to_save\\.(?:default\\.)?)?';
  const pattern = new RegExp(`^(?:base_model\\.model\\.)?${module}\\.${saves}(weight|bias)$`);
  const own = new Map(
    [...tensors].flatMap(([name, tensor]) => (pattern.test(name) ? [[pattern.exec(name)![1]!, tensor]] : [])),
  );
  const found = head ?? headOf(own, name, file);
  if (module === undefined || !found) return { config, tensors, ...(found && { head: found }), ...content };
  const saved = Array.isArray(config.modules_to_save)
    ? config.modules_to_save.filter((one) => one !== module && one !== 'classifier')
    : null;
  const rest = new Map([...tensors].filter(([name]) => !pattern.test(name)));
  return { config: { ...config, modules_to_save: saved }, tensors: rest, head: found, ...content };
}

/** Classes without names, as transformers calls them. */
function headOf(own: ReadonlyMap<string, AdapterTensor>, module: string, file: string): ClassHead | undefined {
  const weight = own.get('weight');
  if (!weight) return undefined;
  const [classes, width] = weight.shape;
  if (weight.shape.length !== 2 || !classes || !width)
    throw badCheckpoint(`${module}.weight in ${file} has the shape [${weight.shape}].`);
  const bias = own.get('bias')?.data ?? new Float32Array(classes);
  if (bias.length !== classes)
    throw badCheckpoint(`${module}.bias in ${file} has ${bias.length} values for ${classes} classes.`);
  const labels = Array.from({ length: classes }, (_, i) => `LABEL_${i}`);
  return { labels, module, weight: weight.data, bias };
}

/**
 * The head of a folder, where there is one.
 * @throws VitrineError `bad-checkpoint`, `network`
 */
export async function readHead(files: Files, signal: AbortSignal | undefined): Promise<ClassHead | undefined> {
  const text = await readText(files, jsonFile, signal);
  if (text === undefined) return undefined;
  const json = parseJson(text, jsonFile);
  const { labels, features, isMulti, module } = isObject(json) ? json : {};
  const isNames = Array.isArray(labels) && labels.length > 0 && labels.every((one) => typeof one === 'string');
  if (!isNames || !Number.isInteger(features)) {
    throw badCheckpoint(`${jsonFile} has no labels and features; expected a list of names and a width.`);
  }
  const tensors = await readSmallTensors(files, tensorFile, signal);
  const read = (name: string, shape: readonly number[]) => {
    const found = tensors.get(name);
    if (found?.shape.join() === shape.join()) return found.data;
    const has = `${tensorFile} has ${name} of shape [${found?.shape}]`;
    throw badCheckpoint(`${has}; expected [${shape}], as ${jsonFile} says.`);
  };
  const width = features as number;
  const form = { ...(isMulti === true && { isMulti }), ...(typeof module === 'string' && { module }) };
  return { labels, ...form, weight: read('weight', [labels.length, width]), bias: read('bias', [labels.length]) };
}
