/** The words of the station that compares two texts. */
export const words = {
  station: ['Two texts compared', 'Where in the model what differs between two texts decides the next word.'] as [
    title: string,
    summary: string,
  ],
  other: 'A second text',
  otherNote:
    'Change a word or two of your text. The stream of the second text is then put into yours, one block and one piece at a time, to see where it turns the next word (activation patching).',
  how: 'How it is measured',
  ways: { runs: 'exactly, a run for each cell', gradient: 'roughly, all at once by a gradient' },
  rough:
    'One gradient in place of all the runs: true to first order, where the two streams differ little. Where a whole word differs, as in the first blocks, it may even have the wrong sign.',
  compare: 'Compare',
  stop: 'Stop',
  same: 'The two texts are the same. Change a word in the second one.',
  counts: (own: number, other: number) =>
    `Your text is ${own} pieces long, the second one ${other}: they must be as many. Try another word of the same length.`,
  alike: 'After both texts the model says the same, to the last digit: there is nothing to find.',
  progress: (done: number, total: number) => `${done} of ${total} runs`,
  map: 'Which stream turns the word',
  question: (own: string, other: string) =>
    `The second text makes “${other}” likelier, most of all at the cost of “${own}”. A cell: your text, run with the second text’s stream at that piece before that block. Blank: nothing changes; full orange: the two words stand as after the second text; blue: they move the other way.`,
  mapLabel: 'How far each patch turns the next word, from 0 as in your text to 1 as in the second',
  block: 'before block',
  pieces: 'piece of your text; those that differ are bold',
  at: (layer: number, token: string) => `Block ${layer}, “${token}”:`,
  best: (layer: number, token: string, share: string) =>
    `Past the first block, the most comes of block ${layer} at “${token}”: ${share} of the way.`,
  click: 'A click puts that stream into your text.',
  patched: (layer: number, token: string) =>
    `Your text now runs with the second one’s stream at “${token}” before block ${layer}.`,
  undo: 'Undo the patch',
  changed: 'Your text has changed: compare again.',
};
