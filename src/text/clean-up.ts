const contractions: [string, string][] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** English without the spaces that tokens have and people do not write (transformers' `clean_up_tokenization`). */
export function withoutSpaces(text: string): string {
  return contractions.reduce((before, [found, written]) => before.replaceAll(found, written), text);
}

/** How much of the end of a text waits for what comes, which may take its spaces. */
export function unsettled(text: string): number {
  return /(?: (?:'[vr]?|n'?)?)*$/.exec(text)![0].length;
}
