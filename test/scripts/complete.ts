import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { readModelFile } from '../fixtures.ts';

export const script = fileURLToPath(new URL('../../scripts/complete.mjs', import.meta.url));
export const complete = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

interface Reference {
  cases: { prompt: string; greedy_text: string; greedy_ids: number[] }[];
}

/** That the script streams the embedded model's reference on this device. */
export async function expectReference(device: string): Promise<void> {
  const { cases } = JSON.parse(new TextDecoder().decode(await readModelFile('tiny-tales/reference.json'))) as Reference;
  const { prompt, greedy_text, greedy_ids } = cases[0]!;
  const run = complete(prompt, '--device', device, '--max-new-tokens', String(greedy_ids.length));
  expect(run.stderr).toContain(`[${device}: `);
  expect(run.stdout).toBe(prompt + greedy_text);
  expect(run.status).toBe(0);
}
