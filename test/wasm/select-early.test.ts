import { expect, test } from 'vitest';
import { gpt2Plan } from '../../src/model/gpt2.ts';
import { withEdits } from '../../src/plan/edit.ts';
import { type Plan, stepOutputs } from '../../src/plan/plan.ts';
import { selectedEarly } from '../../src/wasm/select-early.ts';

const config = { nLayer: 2, nHead: 2, nEmbd: 8, nInner: 16, nCtx: 32, vocabSize: 20, activation: 'gelu' } as const;
const plan = gpt2Plan({ ...config, tieWordEmbeddings: true } as Parameters<typeof gpt2Plan>[0]);

/** The linear layers that are made of the wanted rows alone, in order. */
const ofWanted = ({ steps, tensors }: Plan) =>
  steps
    .filter(({ op }) => op === 'linear')
    .flatMap(stepOutputs)
    .filter((name) => tensors.get(name)!.shape[0] === 'logitRows');

const last = ['blocks.1.hook_attn_out', 'blocks.1.mlp.hook_pre', 'blocks.1.hook_mlp_out', 'logits'];

test('what follows the last attention is made of the wanted rows alone', () => {
  expect(ofWanted(plan)).toEqual(['logits']);
  expect(ofWanted(selectedEarly(plan, new Set()))).toEqual(last);
});

test.each([
  ['blocks.1.mlp.hook_post', last.slice(2)],
  ['blocks.1.hook_resid_mid', last.slice(1)],
  ['blocks.1.hook_resid_post', last.slice(3)],
  ['selected', last.slice(3)],
  ['blocks.0.hook_resid_post', last],
])('but for what %s is made of, where somebody asks to see it', (name, expected) => {
  expect(ofWanted(selectedEarly(plan, new Set([name])))).toEqual(expected);
});

test('and for what an edit changes', () => {
  const edited = withEdits(plan, [{ name: 'blocks.1.hook_mlp_out', scale: 2 }], 4);
  expect(ofWanted(selectedEarly(edited, new Set()))).toEqual(last.slice(3));
});
