import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import { tensorNamed } from '../../src/plan/lens-names.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { select } from '../../src/run/trace.ts';
import { tensorsOf } from '../../src/run/traced.ts';
import { readFixture, readFixtureJson } from '../fixtures.ts';

interface Names {
  models: Record<string, { otherMeaning: string[]; same: Record<string, string | string[]> }>;
}

const { models } = await readFixtureJson<Names>('families/transformerlens.json');

async function planOf(model: string): Promise<Plan> {
  const folder = model === 'tiny-gpt2' ? model : `families/${model}`;
  const files = ['config.json', 'model.safetensors'].map(
    async (name) => new File([new Uint8Array(await readFixture(`${folder}/${name}`))], name),
  );
  const checkpoint = await openCheckpoint(await Promise.all(files), { kind: undefined });
  return checkpoint.family.plan(checkpoint.config);
}

describe("TransformerLens 4's names", () => {
  test.each(Object.keys(models))('%s: every name', async (model) => {
    const { same, otherMeaning } = models[model]!;
    const plan = await planOf(model);
    const listed = new Set(tensorsOf(plan).map(({ name }) => name));
    const found = Object.keys(same).map((name) => [name, tensorNamed(plan, name), select(plan, [name])]);
    const wanted = Object.entries(same).map(([name, here]) => [name, tensorNamed(plan, [here].flat()[0]!), [name]]);
    expect(found).toEqual(wanted);
    // A name that means something else there is ours, or none.
    for (const pattern of otherMeaning) {
      const isOf = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
      for (const name of listed)
        if (isOf.test(name)) expect(plan.tensors.has(name) || plan.aliases.has(name)).toBe(true);
    }
  });

  test.each(Object.keys(models))('%s: no name twice, and none of these where ours are asked for', async (model) => {
    const plan = await planOf(model);
    const names = tensorsOf(plan).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(select(plan, ['*'])).toEqual(names);
    expect(select(plan, () => true)).toEqual(names);
    for (const name of names) expect(plan.tensors.has(name) || plan.aliases.has(name)).toBe(true);
  });
});
