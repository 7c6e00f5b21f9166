import { modelTypeOf } from '../load/checkpoint.ts';
import { headsOf } from '../model/family.ts';
import type { Base } from './names.ts';

/** What transformers puts before the names of a family's body. */
const prefixes: Readonly<Record<string, string>> = {
  gpt2: 'transformer',
  gpt_neo: 'transformer',
  gpt_neox: 'gpt_neox',
  opt: 'model.decoder',
  bert: 'bert',
  distilbert: 'distilbert',
  roberta: 'roberta',
  'xlm-roberta': 'roberta',
  vit: 'vit',
  deit: 'deit',
  t5: '',
  mt5: '',
};

/** Output layers and heads, which stand beside the body. */
const beside = /^(lm_head|embed_out|classifier|pre_classifier|vocab_|cls\.|qa_outputs|score|final_logits_bias)/;

/** What transformers calls the parts of image encoders today. */
const renamed: [RegExp, string][] = [
  [/^encoder\.layer\./, 'layers.'],
  [/\.attention\.attention\.query$/, '.attention.q_proj'],
  [/\.attention\.attention\.key$/, '.attention.k_proj'],
  [/\.attention\.attention\.value$/, '.attention.v_proj'],
  [/\.attention\.output\.dense$/, '.attention.o_proj'],
  [/\.intermediate\.dense$/, '.mlp.fc1'],
  [/\.output\.dense$/, '.mlp.fc2'],
];

/** The name in transformers of a module, by its name in the plan. */
export function moduleOf({ family, config }: Pick<Base, 'family' | 'config'>, planName: string): string {
  if (beside.test(planName)) return planName;
  const prefix = prefixes[modelTypeOf({ family, config })] ?? 'model';
  // An encoder that was saved without a head is the body itself.
  const isBare = family.kind === 'encoder' && headsOf(family, config).length === 0;
  const own =
    family.kind === 'vision' ? renamed.reduce((name, [from, to]) => name.replace(from, to), planName) : planName;
  return prefix === '' || isBare ? own : `${prefix}.${own}`;
}
