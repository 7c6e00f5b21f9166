// node index.js [model] [prompt]: writes on in the terminal; Ctrl + C stops.
import { stdout } from 'node:process';
import { load } from 'vitrine';

const [source = 'openai-community/gpt2', prompt = 'Once upon a time'] = process.argv.slice(2);

const abort = new AbortController();
process.once('SIGINT', () => abort.abort());

const model = await load(source, { signal: abort.signal });
stdout.write(prompt);
for await (const token of model.generate(prompt, { maxNewTokens: 32, signal: abort.signal })) stdout.write(token.text);
stdout.write('\n');
model.dispose();
