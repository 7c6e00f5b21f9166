// Where prompt-lookup speculation pays: `node bench/speculation.mjs [DEVICE] [MODEL] [DTYPE]`, after
// `npm run build:library`. Greedy; the embedded model unless a folder is named; pairs of runs in turn, medians of three.
import { fileURLToPath } from 'node:url';
import { load } from '../dist/vitrine.js';

const embedded = fileURLToPath(new URL('../public/models/tiny-tales/', import.meta.url));
const [, , device = 'wasm', source = embedded, dtype = 'auto'] = process.argv;
const model = await load(source, { device, dtype });
const list = 'The dog said "Hello". The cat said "Hello". The cow said "Hello". The pig said "Hello". ';
const texts = { 'a list that repeats itself': list + list, 'the opening of a story': 'Once upon a time' };
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

console.log(`${model.device.adapter}, ${model.device.dtype}; 64 tokens`);
console.log('text | draft | accepted | ms without | ms with | ratio');
for (const [name, prompt] of Object.entries(texts)) {
  for (const draft of [4, 8, 16]) {
    const times = { plain: [], sped: [] };
    let accepted = 0;
    for (let run = 0; run < 4; run++) {
      for (const [kind, options] of [
        ['plain', {}],
        ['sped', { speculate: { ngram: 3, draft } }],
      ]) {
        const { timing, usage } = await model.complete(prompt, { maxNewTokens: 64, eosTokenId: null, ...options });
        if (run > 0) times[kind].push(timing.decodeMs); // the first warms up
        accepted = usage.accepted ?? accepted;
      }
    }
    const [plain, sped] = [median(times.plain), median(times.sped)];
    console.log([name, draft, accepted, plain.toFixed(0), sped.toFixed(0), (plain / sped).toFixed(2)].join(' | '));
  }
}
model.dispose();
