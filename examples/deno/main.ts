// deno run -A main.ts [model] [prompt]; with --unstable-webgpu on the GPU.
import { load } from 'vitrine';

const [source = 'openai-community/gpt2', prompt = 'Once upon a time'] = Deno.args;
const write = (text: string) => Deno.stdout.write(new TextEncoder().encode(text));

const model = await load(source);
await write(prompt);
for await (const token of model.generate(prompt, { maxNewTokens: 32 })) await write(token.text);
await write('\n');
model.dispose();
