// Look at a head

import { load } from 'vitrine';

const model = await load(`${models}tiny-tales/`);
const trace = await model.trace('Lily saw a dog. Lily saw a', { capture: ['blocks.1.attn.hook_pattern'] });
const { data, shape } = trace.get('blocks.1.attn.hook_pattern');
const [, , keys] = shape; // [nHead, query, key]

// Where head 0 looks from each token.
for (const [query, id] of trace.tokens.entries()) {
  const row = data.slice(query * keys, (query + 1) * keys);
  const most = row.indexOf(Math.max(...row));
  console.log(
    model.tokenizer.decode([id]).padEnd(8),
    '->',
    model.tokenizer.decode([trace.tokens[most]]),
    row[most].toFixed(2),
  );
}
