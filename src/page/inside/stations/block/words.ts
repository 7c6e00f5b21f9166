import { shortNumber } from '../../../format.ts';

/** The words of the station that opens one block. */
export const words = {
  station: ['One block, opened', 'Norm, attention of one head, and the MLP, step by step.'] as [
    title: string,
    summary: string,
  ],
  flow: (layer: number, head: number, token: string) => `Block ${layer}, head ${head}, for the token “${token}”.`,
  rows: (name: string, head: number) => `${name} of head ${head}, a row for each token`,

  residIn: 'Residual stream comes in',
  residInNote:
    'The token’s row of the stream, as the blocks before left it. This block reads it twice and adds to it twice.',
  norm: (which: 1 | 2 | 'final', centred: boolean) => {
    const name = centred ? 'LayerNorm' : 'RMSNorm';
    return which === 'final' ? `Final ${name}` : `${name} ${which}`;
  },
  normNote:
    'The same numbers brought to one size: less their mean, over their standard deviation (how far they spread), times a learned weight, plus a learned bias.',
  rmsNote: 'The same numbers brought to one size: over the root of their mean square, times a learned weight.',
  meanSquare: 'mean square',
  rms: 'scale = √(mean square + ε)',
  mean: 'mean',
  variance: 'variance',
  scale: 'scale = √(variance + ε)',
  before: 'before',
  after: 'after',

  qkv: (head: number) => `Queries, keys and values of head ${head}`,
  qkvNote: 'What each token looks for, what it offers to be found by, and what it hands over when it is found.',
  query: 'Queries',
  key: 'Keys',
  values: 'Values',

  attention: 'Attention',
  picture: (stage: string) => `Attention, ${stage}: a row for each token that looks, a column for each it looks at`,
  stage: 'Stage',
  stages: { raw: 'q · k', scaled: 'scaled', masked: 'masked', pattern: 'softmax' },
  stageNotes: {
    raw: (scale: number) =>
      `Every query times every key. The model’s hook_attn_scores are already times ${shortNumber(scale)}, which is undone here. It never computes what is right of the diagonal: those products are made for this picture, of its q and k.`,
    scaled: (scale: number) =>
      `Times ${shortNumber(scale)}, so that long vectors do not draw all of the attention to one token.`,
    masked: () => 'A token sees only itself and what came before: the rest is −∞.',
    pattern: () =>
      'Softmax makes shares of the products: e to the power of each, divided by the row’s sum. A row is how a token shares its attention out; it sums to 1.',
  },
  readsFrom: (query: string) => `The row of “${query}”`,
  rowSum: 'Sum of the row',
  others: (count: number, sum: number) => `${count} others, together ${shortNumber(sum)}`,
  wasBefore: (value: string) => `was ${value}`,
  looks: (query: string, key: string) => `“${query}” at “${key}”`,

  z: 'Head output',
  zNote: 'Each row: the values, mixed by that row of the pattern.',
  projection: 'Projection back to the stream',
  projectionNote: (head: number) =>
    `All heads’ outputs through one matrix. Beside the whole, head ${head}’s own part: its output times its columns of the weight.`,
  allHeads: 'all heads',
  oneHead: (head: number) => `head ${head} alone`,
  residMid: 'Added to the stream',
  residPost: 'Added to the stream: the block’s output',

  up: 'MLP: up',
  upNote: (from: number, to: number) => `${from} numbers become ${to}: one for each neuron, ${from} in a row.`,
  curve: (name: string) => `Activation: ${name}`,
  curveNote: (count: number, gated: boolean) =>
    gated
      ? `The curve, and this token’s ${count} neurons: across what goes into it, up what comes out times the neuron’s second number, hook_pre_linear. Point at one to read it.`
      : `The curve, and this token’s ${count} neurons on it. Point at one to read it.`,
  curveLabel: (name: string, count: number, active: number) =>
    `The curve of ${name} with ${count} points, one for each neuron; ${active} of them come out above 0.1.`,
  plot: 'plot of points',
  neuron: 'Neuron',
  neuronAt: (index: number) => `Neuron ${index}`,
  openNeuron: (index: number) => `Neuron ${index}: what it writes, and where it fires`,
  pre: 'in',
  post: 'out',
  topNeurons: 'Most active neurons',
  down: 'MLP: down',
  downNote: 'The active neurons write back: one number for each place of the stream.',
};
