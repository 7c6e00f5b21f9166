import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Model, Vision } from '../../src/index.ts';
import { type Adapter, train } from '../../src/learn/index.ts';
import { expectClose } from '../close.ts';
import { adaptersOf, expectedLogits, firstIds, fixtureAdapter, learners } from '../learn/adapter-fixtures.ts';
import { examplesOf, headCases, labels, openCase, optionsOf } from '../learn/heads-case.ts';

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const python = process.env.VITRINE_PYTHON ?? 'python3';
const isThere = spawnSync(python, ['-c', 'import torch, transformers, peft']).status === 0;

/** What peft makes of ids, or of an image, with an adapter's files on a base of test/fixtures. */
function logitsOf(base: string, adapter: Adapter, ids: string): Float32Array {
  const folder = mkdtempSync(join(tmpdir(), 'vitrine-peft-'));
  for (const [file, bytes] of Object.entries(adapter.files())) writeFileSync(join(folder, file), bytes);
  const args = [path('tools/peft_logits.py'), path(`test/fixtures/${base}`), folder, ids];
  const { stdout, stderr } = spawnSync(python, args, { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(stdout, stderr).toMatch(/^\[/);
  return Float32Array.from(JSON.parse(stdout) as number[]);
}

// Set VITRINE_PYTHON to a Python that has torch, transformers and peft.
describe.skipIf(!isThere)('adapters that are written here', () => {
  const cases = learners.flatMap((model) => adaptersOf[model].map((name) => [model, name] as const));
  test.each(cases)('%s, %s: Python’s peft gives the same logits', async (model, name) => {
    const base = model === 'tiny-gpt2' ? model : `families/${model}`;
    const found = logitsOf(base, await fixtureAdapter(model, name), (await firstIds(model)).join());
    const expected = (await expectedLogits(model)).get(name)!;
    expectClose(found, expected, { absolute: 5e-4 }, name);
  });

  const heads = headCases.filter(({ own, method }) => !own && method !== 'full');
  test.each(heads.map((one) => [one.model, one.method, one] as const))('%s, %s: with a head', async (_, __, one) => {
    const model = (await openCase(one, 'cpu')) as Model | Vision;
    const training = train(model, examplesOf(one), await optionsOf(one));
    for await (const _ of training);
    const [{ ids, shape }] = one.data as [(typeof one.data)[number]];
    const length = (shape ?? []).reduce((a, b) => a * b, 1);
    const pixels = Float32Array.from({ length }, (_, i) => Math.cos(i));
    const options = { scores: 'none', topK: labels.length } as const;
    const scores = shape
      ? await (model as Vision).classify({ pixels, shape }, options)
      : (await (model as Model).classify([ids!], options))[0]!;
    const found = logitsOf(one.model, training.adapter!, shape ? 'image' : ids!.join());
    const expected = labels.map((name) => scores.find(({ label }) => label === name)!.score);
    expectClose(found, Float32Array.from(expected), { absolute: 5e-4 });
    model.dispose();
  });
});
