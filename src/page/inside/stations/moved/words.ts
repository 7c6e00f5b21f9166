const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toPrecision(3)}`;

/** The words of the station on what a prediction owes to each token. */
export const words = {
  station: ['What moved this word', 'How much each token did for or against a prediction, by its gradient.'] as [
    title: string,
    summary: string,
  ],
  lead: (token: string) =>
    `The score (logit) of a word after “${token}” is followed back through the whole model to the embedding of each token before it.`,
  which: 'Which prediction',
  how: 'How it is measured',
  ways: {
    gradient: 'gradient × input',
    integrated: 'integrated gradients',
  },
  notes: {
    gradient:
      'The gradient of the logit by the token’s embedding, times the embedding: what the logit would lose, to first order, if the embedding shrank to nothing. One run forward and back.',
    integrated: (steps: number) =>
      `The same along the way from no embedding to the whole one, in ${steps} steps: the numbers together are about what all tokens move the logit by.`,
  },
  untouchedOnly: 'Integrated gradients are of the untouched model: take your changes off to see them.',
  tokens: 'What each token did for the prediction',
  value: (token: string, value: number) => `${token}: ${signed(value)}`,
  number: signed,
  sum: (sum: number, logit: number) => `Together ${signed(sum)}; the logit itself is ${signed(logit)}.`,
  strongest: (token: string, value: number, prediction: string) =>
    `“${token}” ${value < 0 ? 'speaks most against' : 'does most for'} “${prediction}”: ${signed(value)}.`,
  running: 'Following it back…',
};
