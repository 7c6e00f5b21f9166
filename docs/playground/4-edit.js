// Knock out a head

import { load } from 'vitrine';

const model = await load(`${models}tiny-tales/`);
const prompt = 'The little dog was very';
const whole = await model.complete(prompt, { maxNewTokens: 12 });
console.log('whole:  ', prompt + whole.text);

for (let head = 0; head < model.config.nHead; head++) {
  const edits = [{ name: 'blocks.3.attn.hook_z', head, set: 0 }];
  const { text } = await model.complete(prompt, { maxNewTokens: 12, edits });
  console.log(`head ${head}: `, prompt + text);
}
