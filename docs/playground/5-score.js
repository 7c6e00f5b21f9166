// Score a text

import { load } from 'vitrine';

const model = await load(`${models}tiny-tales/`);
for (const text of ['Once upon a time, there was a little girl.', 'Once upon a time, there was a little tax.']) {
  const { ids, logprobs, perplexity } = await model.score(text);
  console.log(text, 'perplexity', perplexity.toFixed(1));
  const predicted = logprobs.slice(1); // nothing predicts the first token
  const least = 1 + predicted.indexOf(Math.min(...predicted));
  console.log('  most surprising:', JSON.stringify(model.tokenizer.decode([ids[least]])), logprobs[least].toFixed(2));
}
