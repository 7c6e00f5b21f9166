/** The words of the station where the visitor changes the model. */
export const words = {
  station: ['Touch it', 'Knock out or change a part and see what becomes of the prediction.'] as [
    title: string,
    summary: string,
  ],
  head: (layer: number, head: number) => `Head ${head} of block ${layer}`,
  headNote: 'What this head adds to the residual, times a factor: 0 knocks it out, 1 leaves it as it is.',
  mlp: (layer: number) => `MLP of block ${layer}`,
  mlpNote: 'What this block’s MLP adds to the residual, times a factor.',
  factor: 'Factor',
  knockOut: 'Knock out',
  attention: (layer: number, head: number, token: string) =>
    `Where head ${head} of block ${layer} looks from “${token}”`,
  attentionNote: 'Drag a share: the others keep their proportions, so that the row still sums to 1.',
  share: (index: number, token: string) => `Share of token ${index}, ${token}`,
  evenly: 'Look everywhere alike',
  itself: 'Look at itself',
  largest: (count: number) => `The ${count} largest shares.`,
  patch: 'Patch from another text',
  patchNote:
    'The same place of a second run takes the place of this one: if the prediction follows, the information was there.',
  otherText: 'Second text',
  run: 'Run it',
  what: 'What to take',
  kinds: {
    hook_resid_pre: 'Residual before the block',
    'attn.hook_z': 'Output of the head',
    hook_attn_out: 'Output of attention',
    hook_mlp_out: 'Output of the MLP',
  } as Record<string, string>,
  takeFrom: (name: string, token: string) => `Token to take it from; it goes into ${name} at “${token}”`,
  tokenOf: (index: number, text: string) => `Token ${index} of the second text: ${text}`,
  changes: 'Your changes',
  none: 'Nothing is changed. Choose a block, a head and a token above, then change them here.',
  remove: (what: string) => `Undo: ${what}`,
  undo: 'Undo',
  writeOn: 'Continue the text with these changes',
  writeOnNote: 'Every token is computed with the changed heads and MLPs; Undo takes the text back.',
  undoAll: 'Undo all',
  prediction: (token: string) => `What comes after “${token}”`,
  predictionNote: 'The likeliest next tokens of both runs, at temperature 1.',
  untouched: 'Untouched',
  touched: 'Changed',
  divergence: (nats: string) =>
    `The two distributions are ${nats} nats apart (Kullback-Leibler, untouched to changed).`,
  said: {
    head: (layer: number, head: number, factor: number) => `head ${head} of block ${layer} × ${factor}`,
    mlp: (layer: number, factor: number) => `MLP of block ${layer} × ${factor}`,
    attention: (layer: number, head: number, position: number) =>
      `attention of head ${head} of block ${layer}, row ${position}`,
    patch: (name: string, position: number, from: string) => `${name} at token ${position}, from “${from}”`,
  },
};
