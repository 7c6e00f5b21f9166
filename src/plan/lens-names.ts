import { type Plan, type Step, stepOutputs, stepsOf } from './plan.ts';

/**
 * The names that TransformerLens 4 gives to a plan's tensors, by component and its `hook_in` or `hook_out`, with the names here. Those
 * that mean something else there (docs/families.md has them) stay ours.
 */
export function lensNames(plan: Plan): ReadonlyMap<string, string> {
  const known = found.get(plan);
  if (known) return known;
  const names = new Map<string, string>();
  const has = (name: string) => plan.tensors.has(name) || plan.aliases.has(name);
  const add = (there: string, here: string | undefined) => {
    if (here !== undefined && has(here) && !has(there) && !here.startsWith('selected')) names.set(there, here);
  };
  const steps = stepsOf(plan);
  const makers = new Map(steps.flatMap((step) => stepOutputs(step).map((name) => [name, step] as const)));
  const inputOf = (name: string) => sourceOf(makers, name);
  /** A component whose output is `here`. */
  const component = (there: string, here: string, first = here) => {
    if (!has(here)) return;
    add(`${there}.hook_in`, inputOf(first));
    add(`${there}.hook_out`, here);
  };

  for (const [there, here] of blocksOf(plan)) block(there, here, { has, add, component });
  for (const step of steps) {
    if (step.op !== 'norm') continue;
    const hook = step.scale!.replace(/\.hook_scale$/, '');
    const there = normNames[hook] ?? hook.replace(/^(encoder|decoder)\.(?=\d)/, '$1_blocks.');
    add(`${there}.hook_in`, step.input);
    add(`${there}.hook_out`, step.output);
  }
  const isOfImages = steps.some(({ op }) => op === 'input');
  const token = isOfImages ? 'hook_full_embed' : has('hook_embed') ? 'hook_embed' : 'embed.hook_embed';
  add('embed.hook_out', token);
  add('pos_embed.hook_out', has('hook_pos_embed') ? 'hook_pos_embed' : 'embed.hook_pos_embed');
  add('hook_pos_embed', 'embed.hook_pos_embed');
  add('token_type_embed.hook_out', 'embed.hook_token_type_embed');
  add('hook_embed', has('encoder.embed.ln.hook_scale') ? 'encoder.embed.hook_full_embed' : 'hook_full_embed');
  if (!isOfImages) add('mlm_head.hook_in', plan.aliases.get('hidden'));
  add('unembed.hook_in', isOfImages || plan.aliases.has('hidden') ? undefined : inputOf('logits'));
  found.set(plan, names);
  return names;
}

const found = new WeakMap<Plan, ReadonlyMap<string, string>>();

const normNames: Readonly<Record<string, string>> = {
  'embed.ln': 'embed_ln',
  'encoder.embed.ln': 'embed_ln',
  'decoder.embed.ln': 'decoder_embed_ln',
  encoder_final_ln: 'encoder_ln_final',
  decoder_final_ln: 'decoder_ln_final',
};

/** What the step that makes a tensor reads; of rows that were chosen, what they were chosen from. */
function sourceOf(makers: ReadonlyMap<string, Step>, name: string): string | undefined {
  const step = makers.get(name);
  if (step?.op !== 'linear') return undefined;
  const maker = makers.get(step.input);
  return maker?.op === 'selectRows' ? maker.input : step.input;
}

/** Names of the blocks there and here. */
function blocksOf({ tensors, aliases }: Plan): Map<string, string> {
  const blocks = new Map<string, string>();
  for (const name of [...tensors.keys(), ...aliases.keys()]) {
    const [here, part, number] = /^(blocks|encoder|decoder)\.(\d+)(?=\.)/.exec(name) ?? [];
    if (here !== undefined) blocks.set(part === 'blocks' ? here : `${part}_blocks.${number}`, here);
  }
  return blocks;
}

interface Writer {
  has(name: string): boolean;
  add(there: string, here: string | undefined): void;
  component(there: string, here: string, first?: string): void;
}

function block(there: string, here: string, { has, add, component }: Writer): void {
  const attn = there.startsWith('decoder') ? 'self_attn' : 'attn';
  const isPostNorm = has(`${here}.hook_normalized_resid_post`);
  const isGated = has(`${here}.mlp.hook_pre_linear`);
  for (const [name, own, out] of [
    [attn, 'attn', 'hook_attn_out'],
    ['cross_attn', 'cross_attn', 'hook_cross_attn_out'],
  ] as const) {
    for (const part of ['q', 'k', 'v']) component(`${there}.${name}.${part}`, `${here}.${own}.hook_${part}`);
    component(`${there}.${name}.o`, `${here}.${out}`);
    component(`${there}.${name}`, `${here}.${out}`, `${here}.${own}.hook_q`);
    for (const part of ['q', 'k', 'v', 'z', 'attn_scores', 'pattern']) {
      add(`${there}.${name}.hook_${part}`, `${here}.${own}.hook_${part}`);
    }
  }
  component(`${there}.mlp.in`, `${here}.mlp.${isGated ? 'hook_pre_linear' : 'hook_pre'}`);
  if (isGated) component(`${there}.mlp.gate`, `${here}.mlp.hook_pre`);
  component(`${there}.mlp.out`, `${here}.hook_mlp_out`);
  component(`${there}.mlp`, `${here}.hook_mlp_out`, `${here}.mlp.hook_pre`);
  add(`${there}.hook_in`, `${here}.hook_resid_pre`);
  add(`${there}.hook_out`, `${here}.${isPostNorm ? 'hook_normalized_resid_post' : 'hook_resid_post'}`);
  if (there === here) return;
  const ofMlp = ['mlp.hook_pre', 'mlp.hook_pre_linear', 'mlp.hook_post'];
  const around = ['hook_attn_out', 'hook_mlp_out', 'hook_resid_pre'];
  // Behind a norm these are of other sums there.
  const sums = isPostNorm ? [] : ['hook_resid_mid', 'hook_cross_attn_out', 'hook_resid_post'];
  for (const name of [...ofMlp, ...around, ...sums]) add(`${there}.${name}`, `${here}.${name}`);
  if (!isPostNorm) add(`${there}.hook_resid_mid2`, `${here}.hook_resid_mid_cross`);
}

/** A tensor's own name, for any of its names; the name itself where there is no such tensor. */
export function tensorNamed(plan: Plan, name: string): string {
  const here = lensNames(plan).get(name) ?? name;
  return plan.aliases.get(here) ?? here;
}
