// Processor time of packing 124 million weights (GPT-2 small's) on one thread of Node, by JavaScript and by WebAssembly in turns:
//   node bench/packing.mjs
import { join } from 'node:path';
import { createServer } from 'vite';

const [width, rows, repeats] = [768, 1024, 10];
const options = { middlewareMode: true, ws: false, watch: null };
const root = join(import.meta.dirname, '..');
const server = await createServer({ configFile: false, logLevel: 'error', appType: 'custom', root, server: options });
const { packRows } = await server.ssrLoadModule('/src/plan/formats.ts');
const { openPacker } = await server.ssrLoadModule('/src/plan/pack.ts');
const ways = { JavaScript: packRows, WebAssembly: await openPacker() };
const weights = Float32Array.from({ length: width * rows }, () => Math.random() - 0.5);

function seconds(pack, format) {
  const begun = process.cpuUsage();
  for (let i = 0; i < repeats; i++) pack(format, weights, width);
  const { user, system } = process.cpuUsage(begun);
  return ((user + system) / 1e6 / repeats) * (124e6 / weights.length);
}

console.log('| format | JavaScript, s | WebAssembly, s |\n| --- | ---: | ---: |');
for (const format of ['f16', 'bf16', 'q8', 'q4']) {
  for (const pack of Object.values(ways)) seconds(pack, format); // compiles
  const found = Object.values(ways).map((pack) => seconds(pack, format).toFixed(2));
  console.log(`| ${format} | ${found.join(' | ')} |`);
}
await server.close();
