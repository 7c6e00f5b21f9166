/** The words of the station that shows the whole model. */
export const words = {
  station: [
    'The whole model',
    'Where every head looks, how a token’s numbers grow from block to block, what each block would say.',
  ] as [title: string, summary: string],
  reading: 'Reading every block…',
  failed: (why: string) => `The whole model could not be read: ${why}`,
  glance: 'Block by block',
  glanceNote: (token: string) =>
    `Each small square is one head's attention: a row for every token that looks, a column for every token looked at. Bars: how long the vector of “${token}” is on its way (its residual stream). Words: what the model would say after “${token}” if it stopped at this block; in green, what it does say.`,
  pooled: (pool: number) => `Of ${pool} × ${pool} tokens the largest weight is drawn.`,
  input: 'Input',
  block: (layer: number) => `Block ${layer}`,
  heads: 'Attention of each head',
  headsOf: (layer: number) => `Heads of block ${layer}`,
  head: (layer: number, head: number) => `Block ${layer}, head ${head}`,
  open: 'A click opens the head in its block.',
  looks: (token: string) => `“${token}” looks at`,
  norm: 'Residual',
  normOf: { pre: 'as it comes in', mid: 'after attention', post: 'after the MLP' },
  lens: 'Would say next',
  lensOf: (layer: number) => `What block ${layer} would say next`,
  norms: 'How long the residual is, token by token',
  normsNote:
    'The residual stream is a token’s numbers on their way through the blocks. Here is its length (L2 norm), from the input at the top through attention and MLP of each block, which add to it.',
  normsLimit: (limit: string) => `The first token's is far longer than any other: colours end at ${limit}.`,
  normsAt: (row: string, token: string) => `${row}, ${token}:`,
  attention: (layer: number) => `Block ${layer} attention`,
  mlp: (layer: number) => `Block ${layer} MLP`,
};
