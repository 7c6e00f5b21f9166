import { type Adapter, loadAdapter } from '../../src/learn/index.ts';
import { BlobFiles } from '../../src/load/blobs.ts';
import { readSmallTensors } from '../../src/load/small-tensors.ts';
import { load } from '../../src/run/load.ts';
import { loadEncoder } from '../../src/run/loaders.ts';
import type { LoadOptions } from '../../src/run/loading.ts';
import { sharedDevice } from '../backends.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';
import { familyFiles } from '../model/families.ts';
import { fixtureFiles } from '../run/models.ts';

export const learners = ['tiny-gpt2', 'bert-seqcls', 'llama-gqa'] as const;
export type Learner = (typeof learners)[number];

export const adaptersOf: Record<Learner, readonly string[]> = {
  'tiny-gpt2': 'end rslora pattern all-linear layers bias bias-lora-only words tied-words tied-head'.split(' '),
  'bert-seqcls': 'end rslora pattern all-linear layers bias bias-lora-only words head'.split(' '),
  'llama-gqa': 'end rslora pattern all-linear layers words head'.split(' '),
};

/** An adapter's files as a user would drop them; `change` may break its config or its tensors. */
export async function adapterFiles(model: Learner, name: string): Promise<File[]> {
  const names = ['adapter_config.json', 'adapter_model.safetensors'];
  const file = async (one: string) =>
    new File([new Uint8Array(await readFixture(`learning/${model}/adapter-${name}/${one}`))], one);
  return Promise.all(names.map(file));
}

export const fixtureAdapter = async (model: Learner, name: string): Promise<Adapter> =>
  loadAdapter(await adapterFiles(model, name));

/** Logits with each adapter, by its name, and without one, `base`. */
export async function expectedLogits(model: Learner): Promise<Map<string, Float32Array>> {
  const bytes = new Uint8Array(await readFixture(`learning/${model}/adapters.safetensors`));
  const files = new BlobFiles('adapters', new Map([['a.safetensors', new Blob([bytes])]]));
  const tensors = await readSmallTensors(files, 'a.safetensors');
  return new Map([...tensors].map(([name, { data }]) => [name.replace(/^adapter-/, ''), data]));
}

export async function firstIds(model: Learner): Promise<number[]> {
  const { batch } = await readFixtureJson<{ batch: { ids: number[] }[] }>(`learning/${model}/learning.json`);
  return batch[0]!.ids;
}

/** A model of the fixtures, and its logits of `batch[0]`: of the last position, or of the classes. */
export async function openLearner(model: Learner, options: LoadOptions = {}) {
  const device = options.device === 'webgpu' ? await sharedDevice() : (options.device ?? 'cpu');
  const ids = await firstIds(model);
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt'];
  if (model === 'bert-seqcls') {
    const encoder = await loadEncoder(await familyFiles(model, names), { ...options, device });
    return { model: encoder, logits: async () => (await encoder.run([{ ids }])).logits![0]!.data };
  }
  const files = model === 'tiny-gpt2' ? await fixtureFiles(model) : await familyFiles(model, names);
  const decoder = await load(files, { ...options, device });
  return { model: decoder, logits: async () => (await decoder.logits(ids)).data };
}
