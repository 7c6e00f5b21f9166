import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { load, type Model } from '../../src/index.ts';
import { loadAdapter } from '../../src/learn/index.ts';
import { expectClose } from '../close.ts';
import { expectedLogits, firstIds, fixtureAdapter } from '../learn/adapter-fixtures.ts';
import { ggufAdapter, heads } from '../learn/gguf-adapters.ts';
import { familyGguf, sentencePieceFields } from '../load/gguf-families.ts';
import { encodeGguf } from '../load/tiny-gguf.ts';

// The peers of `npm run bench`, or where VITRINE_LLAMA says.
const peer =
  process.env.VITRINE_LLAMA ?? fileURLToPath(new URL('../../bench/node_modules/node-llama-cpp', import.meta.url));

/** The little that is used of node-llama-cpp. */
interface Sequence {
  controlledEvaluate(
    input: (number | [number, { generateNext: { logits: true } }])[],
  ): Promise<({ next: { logits?: Map<number, number> } } | undefined)[]>;
}
interface LlamaModel {
  createContext(options: object): Promise<{ getSequence(): Sequence; dispose(): Promise<void> }>;
  dispose(): Promise<void>;
}
interface LlamaCpp {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<LlamaModel>;
    dispose(): Promise<void>;
  }>;
}

describe.skipIf(!existsSync(peer))('a GGUF adapter, beside llama.cpp itself', async () => {
  const folder = existsSync(peer) ? mkdtempSync(join(tmpdir(), 'vitrine-llama-')) : '';
  const base = join(folder, 'base.gguf');
  const ids = await firstIds('llama-gqa');
  let ours: Model;
  let theirs: LlamaModel;
  let end: () => Promise<void>;
  beforeAll(async () => {
    const parts = await familyGguf('llama-gqa', 'llama');
    const fields = new Map([...parts.fields, ...(await sentencePieceFields('llama-gqa'))]);
    writeFileSync(base, encodeGguf({ ...parts, fields }));
    const { getLlama } = (await import(pathToFileURL(join(peer, 'dist/index.js')).href)) as LlamaCpp;
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
    theirs = await llama.loadModel({ modelPath: base });
    ours = await load(base, { device: 'wasm', threads: 1 });
    end = () => llama.dispose();
  });
  afterAll(async () => {
    ours.dispose();
    await end();
    rmSync(folder, { recursive: true });
  });

  /** Of the last position, with the adapter of the file, so strong. */
  async function logitsOf(filePath: string | undefined, scale = 1): Promise<Float32Array> {
    const lora = filePath && { lora: { adapters: [{ filePath, scale }] } };
    const context = await theirs.createContext({ contextSize: 64, ...lora });
    const input = ids.map((id, i) =>
      i < ids.length - 1
        ? id
        : ([id, { generateNext: { logits: true } }] as [number, { generateNext: { logits: true } }]),
    );
    const found = (await context.getSequence().controlledEvaluate(input)).at(-1)!.next.logits!;
    await context.dispose();
    return Float32Array.from({ length: found.size }, (_, id) => found.get(id)!);
  }

  // Its base alone is 2e-3 off PyTorch's logits, which here are within 5e-4.
  const close = { absolute: 1e-2 };
  const last = (all: Float32Array, count: number) => all.subarray(all.length - count);

  test('the base alone has the same logits', async () => {
    const found = await logitsOf(undefined);
    expectClose(last((await ours.logits(ids)).data, found.length), found, close, 'logits');
  });

  test.each(['end', 'all-linear', 'words'])('%s: the same logits, and those of peft', async (name) => {
    const file = join(folder, `${name}.gguf`); // the other side knows an adapter by its path
    const bytes = await ggufAdapter(await fixtureAdapter('llama-gqa', name), heads).arrayBuffer();
    writeFileSync(file, new Uint8Array(bytes));
    const adapter = await loadAdapter(file);
    await ours.setAdapter(null);
    const alone = last((await ours.logits(ids)).data, 401);
    for (const scale of [1, 0.5]) {
      const found = await logitsOf(file, scale);
      await ours.setAdapter(adapter, { scale });
      const own = last((await ours.logits(ids)).data, found.length);
      const moved = Math.max(...own.map((logit, i) => Math.abs(logit - alone[i]!)));
      expect(moved).toBeGreaterThan(5 * close.absolute);
      expectClose(own, found, { absolute: close.absolute + 1e-3 * moved }, `logits at ${scale}`);
      const expected = (await expectedLogits('llama-gqa')).get(name)!;
      if (scale === 1) expectClose(own, last(expected, found.length), { absolute: 5e-4 }, name);
    }
  });
});
