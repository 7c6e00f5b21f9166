import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadAdapter } from '../../src/learn/index.ts';

const root = new URL('../fixtures/learning/', import.meta.url);
const folders = ['tiny-gpt2', 'bert-seqcls', 'llama-gqa'].flatMap((model) =>
  readdirSync(new URL(model, root))
    .filter((name) => /^adapter-/.test(name))
    .map((name) => `${model}/${name}`),
);

describe('loadAdapter', () => {
  it.each(folders)('reads %s, and what it writes of it is the same', async (folder) => {
    const adapter = await loadAdapter(new URL(folder, root));
    const again = await loadAdapter(adapter.files());
    expect(again.content.tensors).toEqual(adapter.content.tensors);
    expect(again.config).toMatchObject({ rank: adapter.config.rank, targets: adapter.config.targets });
    expect(adapter.parts().lowRank.length).toBeGreaterThan(0);
  });

  it('takes ranks and alphas from their patterns', async () => {
    const { lowRank } = (await loadAdapter(new URL('tiny-gpt2/adapter-rslora', root))).parts();
    const of = (end: string) => lowRank.find(({ module }) => module.endsWith(end))!;
    expect(of('0.attn.c_attn')).toMatchObject({ rank: 5, inputs: 96, outputs: 288, scale: 20 / Math.sqrt(5) });
    expect(of('0.mlp.c_proj')).toMatchObject({ rank: 3, inputs: 384, outputs: 96, scale: 12 / Math.sqrt(3) });
  });
});
