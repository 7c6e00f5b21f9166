/** The words of the rooms in which encoders read texts. Translate this file. */
export const words = {
  lookTitle: 'What looks where',
  lookSummary: 'Each word reads from all others, before and behind it.',
  lookNote:
    'The thicker a line, the larger the share. Choose a token on the right, or a head: a row of pictures a block, tokens that read downwards, tokens that are read across. Signs in brackets, as [CLS] and [SEP], begin and end the text for the model.',
  readsFrom: (text: string) => `“${text}” reads from`,
  text: 'Your text',

  blanksTitle: 'Take a word away',
  blanksLead: 'The model reads what is left, on both sides, and says what would fit.',
  opening: 'The little girl went to the park with her mother.',
  blanksHint: 'Click words to take them away, several at once if you like; click again to put them back.',
  word: (text: string, isMasked: boolean) => (isMasked ? `Put “${text}” back` : `Take “${text}” away`),
  putBack: 'Put all back',
  fits: (place: number, count: number) => (count > 1 ? `What would fit into blank ${place + 1}` : 'What would fit'),
  was: (text: string, share: string, rank: number) => `It was “${text}”: ${share}, number ${rank} of all words.`,
  wasUnknown: (text: string) => `It was “${text}”, which is no single token of this model.`,
  noBlank: 'Nothing is taken away yet.',
  blank: 'blank',
  packed: ['Once upon a time, there was a king.', 'The dog barked.'],

  sentencesTitle: 'Which sentences mean alike?',
  sentencesLead:
    'Each sentence becomes one point in a space of many dimensions. The cosine of the angle between two says how alike they are.',
  query: 'Compare with',
  queryOpening: 'A cat sleeps on the sofa.',
  sentences: 'Sentences, one a line',
  sentencesOpening:
    'The kitten is napping on the couch.\nDogs like to chase balls in the park.\nThe stock market fell again today.\nShe plays the violin every evening.\nAn animal is resting on the furniture.',
  ranked: 'Most alike first',
  table: 'Cosines of all pairs',
  tableOf: 'Cosine of each sentence with each other; 1 is the same direction.',
  pooling: (modes: string, width: number) => `Pooled by ${modes}; ${width} numbers each.`,
  more: 'Give it two sentences at least.',

  labelsTitle: {
    classes: 'What kind of text is it?',
    'token-classes': 'What is each word?',
    answers: 'Ask about a text',
  },
  labelsLead: 'An encoder reads the whole text at once; its head answers.',
  labelsOpening: 'My name is Clara and I live in Berlin. I love this city.',
  labelsEmpty: {
    classes: 'Give it something to read.',
    'token-classes': 'Give it something to read.',
    answers: 'Give it a text and a question.',
  },
  question: 'Question',
  questionOpening: 'Where do I live?',
  answer: 'Answer',
  classes: 'Probability of each class',
  entities: 'What was found',
  none: 'Nothing was found.',
};
