import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../close.ts';
import { adaptersOf, expectedLogits, firstIds, fixtureAdapter, learners } from '../learn/adapter-fixtures.ts';

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const python = process.env.VITRINE_PYTHON ?? 'python3';
const isThere = spawnSync(python, ['-c', 'import torch, transformers, peft']).status === 0;

// Set VITRINE_PYTHON to a Python that has torch, transformers and peft.
describe.skipIf(!isThere)('adapters that are written here', () => {
  const cases = learners.flatMap((model) => adaptersOf[model].map((name) => [model, name] as const));
  test.each(cases)('%s, %s: Python’s peft gives the same logits', async (model, name) => {
    const folder = mkdtempSync(join(tmpdir(), 'vitrine-peft-'));
    const adapter = await fixtureAdapter(model, name);
    for (const [file, bytes] of Object.entries(adapter.files())) writeFileSync(join(folder, file), bytes);
    const base = path(`test/fixtures/${model === 'tiny-gpt2' ? model : `families/${model}`}`);
    const ids = (await firstIds(model)).join();
    const { stdout, stderr } = spawnSync(python, [path('tools/peft_logits.py'), base, folder, ids], {
      encoding: 'utf8',
    });
    rmSync(folder, { recursive: true });
    expect(stdout, stderr).toMatch(/^\[/);
    const expected = (await expectedLogits(model)).get(name)!;
    expectClose(Float32Array.from(JSON.parse(stdout) as number[]), expected, { absolute: 5e-4 }, name);
  });
});
