import { activatedLinear, normWithoutScale, type Rule, residualLinear, wholeAttention } from './fuse.ts';

/** What of a gradient's plan nobody reads in between: a run that is made again keeps little. */
export const forwardRules: readonly Rule[] = [normWithoutScale, activatedLinear, residualLinear, wholeAttention];

/** The adjoint of a layer + that of the activation before it. */
const slopedLinear: Rule = (step, maker) => {
  if (step.op !== 'adjoint' || step.of !== 'activation') return undefined;
  const linear = maker(step.reads.grad);
  if (linear?.op !== 'adjoint' || linear.of !== 'linear' || linear.slope || linear.reads.grads.length > 1)
    return undefined;
  const reads = { ...linear.reads, input: step.reads.input };
  return { step: { ...linear, reads, slope: step.kind, output: step.output }, absorbs: [linear] };
};

/** The adjoint of what mixes values + that of the softmax before it. */
const scoredMix: Rule = (step, maker) => {
  if (step.op !== 'adjoint' || step.of !== 'maskedSoftmax') return undefined;
  const mix = maker(step.reads.grad);
  if (mix?.op !== 'adjoint' || mix.of !== 'attentionMix') return undefined;
  const reads = { ...mix.reads, pattern: step.reads.pattern };
  return { step: { ...mix, reads, output: step.output }, absorbs: [mix] };
};

export const backwardRules: readonly Rule[] = [slopedLinear, scoredMix];
export const gradientRules: readonly Rule[] = [...forwardRules, ...backwardRules];
