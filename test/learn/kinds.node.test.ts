import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Encoder,
  type EncoderDecoder,
  load,
  loadEncoder,
  loadEncoderDecoder,
  type Model,
} from '../../src/index.ts';
import { type Adapter, type Example, loadAdapter, train } from '../../src/learn/index.ts';
import { expectClose } from '../close.ts';
import { adapterFiles, type Learner, openLearner as openWithLogits } from './adapter-fixtures.ts';
import { openLearner } from './models.ts';
import { courseOf } from './train-case.ts';

const fixtures = new URL('../fixtures/', import.meta.url);
const root = new URL('learning-seeded/adapters/', fixtures);

/** As tools/fixtures/adapters.py has it of peft and PyTorch. */
const { ids, target, bases, logits, runs } = JSON.parse(readFileSync(new URL('adapters.json', root), 'utf8')) as {
  ids: number[];
  target: number[];
  bases: Record<string, string>;
  logits: Record<string, number[]>;
  runs: Record<string, [loss: number, norm: number][]>;
};

async function open(name: string, device: 'cpu' | 'wasm' = 'cpu') {
  const base = bases[name]!;
  const folder = new URL(`${base}/`, fixtures);
  const loader = /t5/.test(base) ? loadEncoderDecoder : /bert/.test(base) ? loadEncoder : load;
  const model = await loader(folder, { device });
  const all = async () => {
    if (loader === loadEncoderDecoder) {
      const { decoderStartTokenId: start } = (model as EncoderDecoder).config.generation as never as Record<
        string,
        number
      >;
      const given = { source: ids, target: [start ?? 0, ...target] };
      return (await (model as EncoderDecoder).trace(given)).logits.data;
    }
    if (loader === loadEncoder) return (await (model as Encoder).run([{ ids }])).logits![0]!.data;
    return (await (model as Model).trace(ids)).logits.data;
  };
  return { model, last: async () => (await all()).subarray(-20) };
}

describe('an adapter of peft’s', () => {
  it.each(Object.keys(bases))('%s gives the logits that it has there', async (name) => {
    const { model, last } = await open(name);
    await model.setAdapter(await loadAdapter(new URL(`${name}/`, root)));
    expectClose(await last(), logits[name]!, { absolute: 5e-4 }, name);
    model.dispose();
  });

  it('with a tensor under two names is learnt on as one', async () => {
    const { model, last } = await open('bert-biases');
    const resume = await loadAdapter(new URL('bert-biases/', root));
    const run = train(model, [{ ids, label: 1 }], { resume, learningRate: 1e-12, steps: 1 });
    await run.next();
    const names = [...run.adapter!.content.tensors.keys()];
    expect(names.filter((name) => name.includes('classifier')).sort()).toEqual([
      'base_model.model.classifier.bias',
      'base_model.model.classifier.weight',
    ]);
    await model.setAdapter(await loadAdapter(run.adapter!.files()));
    expectClose(await last(), logits['bert-biases']!, { absolute: 5e-4 });
    model.dispose();
  });
});

describe('an adapter that llama.cpp’s converter has made', () => {
  // F32, F32, F16, and Q8_0 where its columns are many enough.
  it.each([
    ['neox', 5e-4],
    ['qwen3', 5e-4],
    ['gpt2', 5e-3],
    ['llama', 5e-3],
  ])('%s: of the same logits, first on another model or not', async (name, absolute) => {
    const adapter = await loadAdapter(new URL(`${name}.gguf`, root));
    const other = await openLearner(name === 'gpt2' ? 'llama-gqa' : 'tiny-gpt2');
    await expect((other as Model).setAdapter(adapter)).rejects.toMatchObject({ code: 'bad-checkpoint' });
    other.dispose();
    const { model, last } = await open(name);
    // What goes on from it has its rows in order too.
    const run = train(model, [{ ids }], { resume: adapter, learningRate: 1e-12, steps: 1 });
    await run.next();
    await model.setAdapter(run.adapter!);
    expectClose(await last(), logits[name]!, { absolute }, `${name}, gone on from`);
    await model.setAdapter(adapter);
    expectClose(await last(), logits[name]!, { absolute }, name);
    await model.setAdapter(await loadAdapter(adapter.files()));
    expectClose(await last(), logits[name]!, { absolute }, `${name} in peft’s format`);
    model.dispose();
  });
});

describe('a run that goes on from an adapter', () => {
  it.each(Object.entries(runs))('of %s has the losses and norms of PyTorch', async (key, log) => {
    const [name, kind] = key.split('/') as [Learner, string];
    const { data, batch } = courseOf(name);
    const { model, logits: found } = await openWithLogits(name);
    const options = { learningRate: 5e-3, weightDecay: 0.1, batchSize: batch, steps: log.length, shuffle: false };
    const run = train(model, data, { ...options, resume: await loadAdapter(await adapterFiles(name, kind)) });
    let step = 0;
    for await (const { loss, gradNorm } of run) {
      const [expected, norm] = log[step++]!;
      expect(Math.abs(loss / expected - 1), `loss of step ${step}`).toBeLessThan(1e-4);
      expect(Math.abs(gradNorm / norm - 1), `norm of step ${step}`).toBeLessThan(1e-3);
    }
    expect(step).toBe(log.length);
    const learnt = await found();
    await model.setAdapter(await loadAdapter(run.adapter!.files()));
    expectClose(await found(), learnt, { absolute: 1e-5 }, 'loaded again');
    model.dispose();
  });
});

describe('targets', () => {
  const halves = (adapter: Adapter) =>
    [...adapter.content.tensors.keys()].map((name) => name.replace('base_model.model.', ''));

  it('may be tables of words, and the output layer', async () => {
    const model = await openLearner('tiny-gpt2');
    const data: Example[] = [{ ids: [5, 6, 7, 8, 9] }, { ids: [11, 12, 13] }];
    const run = train(model, data, { targets: ['wte', 'c_attn', 'lm_head'], rank: 2, steps: 12, learningRate: 1e-2 });
    const losses: number[] = [];
    for await (const { loss } of run) losses.push(loss);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    const names = halves(run.adapter!);
    for (const one of ['transformer.wte.lora_embedding_A', 'transformer.wte.lora_embedding_B', 'lm_head.lora_A.weight'])
      expect(names).toContain(one);
    expect(names.some((one) => one.includes('wpe'))).toBe(false);
    model.dispose();
  });

  it('"all-linear" leave out a head that is saved whole', async () => {
    const model = await openLearner('bert-seqcls');
    const run = train(model, [{ ids: [5, 6, 7], label: 1 }], { targets: 'all-linear', rank: 2, steps: 1 });
    await run.next();
    const names = halves(run.adapter!);
    expect(names.filter((one) => one.startsWith('classifier')).sort()).toEqual([
      'classifier.bias',
      'classifier.weight',
    ]);
    expect(names).toContain('bert.pooler.dense.lora_A.weight');
    await model.setAdapter(await loadAdapter(run.adapter!.files()));
    model.dispose();
  });

  it('that are none of the model’s are refused by name', async () => {
    const model = await openLearner('tiny-gpt2');
    for (const targets of [['c_attn', 'q_proj'], '.*nothing'] as const) {
      const message = /targets names.*(q_proj|nothing).*attn\.c_attn/;
      await expect(train(model, [{ ids: [5, 6] }], { targets }).next()).rejects.toMatchObject({
        code: 'bad-option',
        message,
      });
    }
    model.dispose();
  });
});
