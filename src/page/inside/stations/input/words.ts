/** The words of the station from text to numbers. */
export const words = {
  station: [
    'From text to numbers',
    'Each token becomes a row of numbers, its embedding, and its place another: what the first block reads.',
  ] as [title: string, summary: string],
  tokens: 'Your text in tokens',
  tokensNote: (vocabulary: number) =>
    `The model knows ${vocabulary.toLocaleString('en')} tokens and reads your text as their numbers.`,
  count: (tokens: number) => (tokens === 1 ? '1 token' : `${tokens.toLocaleString('en')} tokens`),
  bytes: 'Bytes',
  bytesNone: 'hide',
  bytesHex: 'hexadecimal',
  bytesDecimal: 'decimal',
  vector: (token: string) => `“${token}” as the model reads it`,
  vectorNote: (width: number) =>
    `The token's row of one table plus its position's row of another: ${width} numbers each, read left to right, line by line. Blue is below zero, orange above, all on one scale.`,
  aloneNote: (width: number) =>
    `The token's row of a table: ${width} numbers, read left to right, line by line. This model adds no positions to them: its heads turn their queries and keys by the position instead (hook_rot_q in a block). Blue is below zero, orange above.`,
  parts: (token: string, id: number, position: number) =>
    [
      `“${token}”, row ${id} of the word table`,
      `position ${position}, row ${position} of its table`,
      'what block 0 reads',
    ] as const,
  scaleOf: (limit: string) => `Colours from −${limit} to ${limit}.`,
  nearest: (token: string) => `Tokens nearest to “${token}”`,
  nearestNote: (vocabulary: number) =>
    `By the cosine of their embeddings, among all ${vocabulary.toLocaleString('en')}: 1 is the same direction.`,
  searching: 'Comparing with every token…',
  similarities: 'How alike the positions are',
  similaritiesNote: (positions: number, own: number) =>
    `Cosines of all ${positions} position embeddings with each other; the outline is position ${own}, and the curve its row.`,
  curve: (position: number) => `Cosine of position ${position} with every position`,
  comparing: 'Comparing every position with every other…',
  pair: (a: number, b: number) => `positions ${a} and ${b}:`,
  failed: (why: string) => `This could not be computed: ${why}`,
  all: 'The same for every token of your text',
  embedding: 'Token embeddings',
  position: 'Position embeddings',
  sum: 'Their sum: the input of block 0',
};
