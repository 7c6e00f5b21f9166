/** The words of the station that shows one neuron. */
export const words = {
  station: ['A neuron', 'Where one neuron of an MLP fires in the text, and what it writes when it does.'] as [
    title: string,
    summary: string,
  ],
  reading: 'Reading the neuron…',
  which: 'Which one',
  whichNote: (count: number, layer: number) =>
    `Block ${layer} has ${count}. Each holds one number for every piece of the text, and one column of weights that it writes with.`,
  neuron: 'Neuron',
  most: (token: string) => `Most active at “${token}”`,
  choose: (neuron: number, value: string) => `Neuron ${neuron}, ${value}`,
  fires: 'Where it fires',
  firesNote: 'The higher the bar, the more it fires at that piece; hatched below zero. A click looks at the piece.',
  silent: 'It is silent at every piece of this text.',
  at: (index: number, token: string, value: string) => `Token ${index}, ${token}: ${value}`,
  skipped: (count: number) => `${count} pieces where it hardly fires`,
  writes: 'What it writes',
  writesNote:
    'Its column of the MLP’s output weight, held against every word of the vocabulary: by how much one unit of it raises or lowers each score, before the final norm divides.',
  raised: 'Raises',
  lowered: 'Lowers',
  here: (token: string) => `At “${token}” it is`,
  adds: (scale: string, factor: string) =>
    `and the final norm divides by ${scale}: there, each of these words gets ${factor} times its number.`,
};
