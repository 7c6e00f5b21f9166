import { badCheckpoint as bad, type VitrineError } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import { type Files, isObject, parseJson, readText } from './files.ts';
import { type Directory, readDirectory, type StoredTensor } from './safetensors.ts';

/** A .safetensors file beside an index or in a folder beneath it: nothing that leads elsewhere. */
const shardPath = /^(?:[\p{L}\p{N}_][\p{L}\p{N}_.+ =@()-]*\/)*[\p{L}\p{N}_][\p{L}\p{N}_.+ =@()-]*\.safetensors$/u;

/**
 * The tensors of a sharded model, by its `model.safetensors.index.json`. An index may list what no shard holds, as long as
 * nobody needs it.
 * @throws VitrineError `bad-checkpoint`, `network`
 */
export async function readSharded(files: Files, index: string, signal?: AbortSignal): Promise<Directory> {
  const text = await readText(files, index, signal);
  if (text === undefined) throw files.missing(index);
  const json = parseJson(text, index);
  const map = isObject(json) && json.weight_map;
  if (!isObject(map) || Object.keys(map).length === 0) {
    throw bad(`${index} has no weight_map; expected an object of tensor names and files.`);
  }
  const shards = new Map<string, string[]>();
  for (const [name, value] of Object.entries(map)) {
    const shard = typeof value === 'string' ? value.replace(/^\.\//, '') : '';
    if (!shardPath.test(shard)) {
      throw bad(`${index} puts ${name} into ${show(value)}; expected a .safetensors file beside it.`);
    }
    if (!shards.get(shard)?.push(name)) shards.set(shard, [name]);
  }
  const tensors: StoredTensor[] = [];
  const absent = new Map<string, VitrineError>();
  for (const [shard, names] of shards) {
    const stored = await readDirectory(files, shard, signal);
    const byName = new Map(stored?.map((tensor) => [tensor.name, tensor]));
    for (const name of names) {
      const tensor = byName.get(name);
      const unheld = `${index} puts the tensor ${name} into ${shard}, which does not hold it.`;
      if (tensor) tensors.push(tensor);
      else absent.set(name, stored ? bad(unheld) : files.missing(shard));
    }
  }
  return { tensors, absent };
}
