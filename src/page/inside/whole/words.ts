/** The words of the drawing of the whole: each part in plain words first. */
export const words = {
  title: 'How the next piece of text comes about',
  intro: (token: string, position: number) =>
    `A transformer guesses how a text goes on, one piece at a time. Your text goes in on the left, cut into pieces, the tokens (␣ is a space); what may come after “${token}” (token ${position}) comes out on the right. Every width, line and colour is a number of this run.`,
  reading: 'Reading the text…',
  opens: (part: string) => `${part}. Opens it below`,
  tokens: ['Your text, in pieces', 'token ids'],
  embeddings: ['Each piece as numbers', 'blocks.0.hook_resid_pre'],
  attention: (layer: number) => ['Attention: what the piece looks at', `blocks.${layer}.attn.hook_pattern`],
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
  attends:
    'Attention is how a piece takes in what stands before it. A head looks back from it, shares its attention out among the pieces, and carries that much of each over; the thicker a line, the more. Each head looks in its own way.',
  looks: (layer: number, head: number, from: string, to: string | undefined, share: string) =>
    `In block ${layer}, head ${head} looks from “${from}” most at ${to === undefined ? 'itself' : `“${to}”`}, with ${share} of its attention.`,
  sharpest: 'Show the head that looks most at one piece',
  adds: (blocks: number, heads: number, attention: string, mlp: string) =>
    `${blocks === 1 ? 'The model is one block' : `The model is ${blocks} blocks, one after the other`}. In each, what its ${heads === 1 ? 'one head carries' : `${heads} heads carry`} over is added to the piece’s own numbers; then its MLP, a layer of neurons, adds what it makes of them. Here these are lists of numbers (vectors) of lengths ${attention} and ${mlp}.`,
  streamNote:
    'The band is the piece’s own numbers on their way through the blocks, the residual stream: the longer that vector, the wider the band.',
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
