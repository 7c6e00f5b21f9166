// Times one peer. The same code in the browser and in Node, for every row of the table.

/** A text of `length` of the words, seeded (mulberry32): every peer reads the same texts, and no text twice. */
export function randomText(length, seed, words) {
  let state = seed * 0x9e3779b9;
  const drawn = Array.from({ length }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return words[((mixed ^ (mixed >>> 14)) >>> 0) % words.length];
  });
  return { ids: drawn.map(([id]) => id), text: drawn.map(([, text]) => text).join('') };
}

/** Milliseconds after which a length is not measured again. */
const patience = 15_000;

/**
 * Times in milliseconds: `load`, `firstToken` (a prompt of 64 right after the load, compiling and warming up included),
 * and for each context length `prefill` (to the first token) and `decode` (a token, over those that follow).
 * `tokens` are the first text's, to compare peers by.
 * @param {import('./adapters/adapter.d.ts').Open} open
 */
export async function measure(open, row, { prefill, decode, decodeTokens, repeats, words, onProgress = () => {} }) {
  const begun = performance.now();
  const peer = await open(row);
  const result = { about: peer.about, load: performance.now() - begun, prefill: {}, decode: {}, tokens: [] };
  onProgress('loaded', result.load);
  let texts = 0;
  const sample = async (length, count) => {
    const times = [];
    const tokens = [];
    const start = performance.now();
    const made = await peer.generate(randomText(length, ++texts, words), count, (token) => {
      times.push(performance.now());
      tokens.push(token);
    });
    if (made !== count) throw new Error(`${row.adapter} made ${made} tokens; expected ${count}.`);
    return { tokens, toFirst: times[0] - start, perToken: (times.at(-1) - times[0]) / (count - 1) };
  };

  const first = await sample(64, 1 + decodeTokens);
  result.firstToken = first.toFirst;
  result.tokens = first.tokens;
  for (const length of [...new Set([...prefill, ...decode])].sort((a, b) => a - b)) {
    const decodes = decode.includes(length);
    const begun = performance.now();
    // Slow peers are slow without a doubt after fewer runs.
    for (let run = 0; run < repeats && (run === 0 || performance.now() - begun < patience); run++) {
      const { toFirst, perToken } = await sample(length, decodes ? 1 + decodeTokens : 1);
      onProgress(`${length}`, toFirst);
      if (prefill.includes(length)) (result.prefill[length] ??= []).push(toFirst);
      if (decodes) (result.decode[length] ??= []).push(perToken);
    }
  }
  await peer.close();
  return result;
}
