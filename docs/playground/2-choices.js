// What else was likely

import { load } from 'vitrine';

const model = await load(`${models}tiny-tales/`);
for await (const { text, logprob, top } of model.generate('The little dog', { maxNewTokens: 8, topLogprobs: 4 })) {
  const others = top.map((other) => `${JSON.stringify(other.text)} ${Math.exp(other.logprob).toFixed(2)}`);
  console.log(JSON.stringify(text), Math.exp(logprob).toFixed(2), 'of', others.join(', '));
}
