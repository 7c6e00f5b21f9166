// Write

import { load } from 'vitrine';

const model = await load(`${models}tiny-tales/`);
console.log(model.device.kind, model.device.reason);

const prompt = 'Once upon a time, there was a';
write(prompt);
const options = { maxNewTokens: 60, temperature: 0.8, seed: 1 };
for await (const token of model.generate(prompt, options)) write(token.text);
