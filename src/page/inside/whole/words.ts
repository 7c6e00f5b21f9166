/** The words of the drawing of the whole: each part in plain words first. */
export const words = {
  title: 'How the next piece of text comes about',
  intro: (token: string, position: number) =>
    `Your text goes in on the left, cut into pieces, the tokens; what may come after “${token}” (token ${position}) comes out on the right. Every width, line and colour is a number of this run.`,
  reading: 'Reading the text…',
  opens: (part: string) => `${part}. Opens it below`,
  tokens: ['Your text, in pieces', 'token ids'],
  embeddings: ['Each piece as numbers', 'blocks.0.hook_resid_pre'],
  attention: (layer: number) => ['Attention: what it looks at', `blocks.${layer}.attn.hook_pattern`],
  mlp: (layer: number) => ['MLP: what it makes of that', `blocks.${layer}.mlp.hook_post`],
  stream: (layer: number) => ['Residual stream: the running sum', `blocks.${layer}.hook_resid_post`],
  logits: ['Every next piece gets a score', 'logits'],
  draw: ['One is drawn', 'sampling'],
  who: 'Who spoke for it?',
  rows: (count: number) => `A row of ${count} numbers for each piece`,
  others: (count: number) => (count === 1 ? '1 more piece is not drawn' : `${count} more pieces are not drawn`),
  token: (index: number, text: string) => `Look at token ${index}: ${text}`,
  block: (layer: number) => `Block ${layer}`,
  /** `to`: undefined for itself. */
  looks: (layer: number, head: number, from: string, to: string | undefined, share: string) =>
    `In block ${layer}, head ${head} looks from “${from}” most at ${to === undefined ? 'itself' : `“${to}”`}, with ${share} of its attention, and brings back what it finds there.`,
  adds: (attention: string, mlp: string) =>
    `All heads of the block together add a vector of length ${attention} to the stream, its MLP one of length ${mlp}.`,
  streamNote:
    'The band is the piece’s own numbers on their way through the blocks: the longer that vector, the wider the band.',
  picture: (layer: number, head: number) =>
    `The residual stream through all blocks, and where head ${head} of block ${layer} looks`,
  line: (token: string, share: string) => `“${token}”: ${share}`,
  length: (where: string, value: string) => `${where}: ${value}`,
  entry: 'Before the blocks',
  afterAttention: (layer: number) => `After the attention of block ${layer}`,
  afterMlp: (layer: number) => `After the MLP of block ${layer}`,
  temperature: 'Shares at temperature 1.',
  byNumber: (seed: number, u: number) => `Seed ${seed} gives the number ${u.toFixed(4)}; it falls on`,
  greedy: 'Temperature 0 draws nothing: the largest score is taken,',
  line01: (u: number, token: string) =>
    `From 0 to 1, the shares that the dials leave; ${u.toFixed(4)} falls on “${token}”`,
};
