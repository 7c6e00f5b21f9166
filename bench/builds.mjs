// This build beside another one, in turns, each turn in a process of its own: GPT-2 small's shape in Node.
//   node bench/builds.mjs FOLDER [--device wasm,webgpu] [--dtype f32,q8,q4] [--runs 5] [--prefill 256] [--at 64]
// FOLDER is the other build's dist/. Writes Markdown: the time of a prefill and of a token, medians of all turns with the paired ratios.
// WebGPU is Dawn on SwiftShader, or on the driver that VK_ICD_FILENAMES names.
import { execFileSync } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { softwareVulkan } from '../scripts/browser.mjs';
import { modelOf } from './models.mjs';

const root = join(import.meta.dirname, '..');
const text = (value) => ({ type: 'string', default: value });
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ device: text('wasm'), dtype: text('f32,q8,q4'), runs: text('5') },
    ...{ prefill: text('256'), at: text('64'), child: { type: 'boolean' } },
  },
});
const [dist] = positionals;
if (!dist) throw new Error("Name the other build's dist/.");
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** Milliseconds of a prefill and of a token, each the median of several once both are warm. */
async function measure() {
  if (values.device === 'webgpu') {
    const { create, globals } = await import('webgpu');
    globalThis.dawn = create([]); // collected early, it takes the process down
    Object.assign(globalThis, globals);
    globalThis.navigator ??= {};
    Object.defineProperty(navigator, 'gpu', { value: globalThis.dawn, configurable: true });
  }
  const { load } = await import(resolve(dist, 'vitrine.js'));
  const { device, dtype } = values;
  const model = await load(join(root, modelOf({ model: '' })), { device, dtype });
  const ids = (count, seed) => Array.from({ length: count }, (_, i) => (7919 * seed + 131 * i) % 50_000);
  const [prefills, tokens] = [[], []];
  for (let turn = 0; turn < 4; turn++) {
    const begun = performance.now();
    await model.complete(ids(Number(values.prefill), turn), { maxNewTokens: 1, eosTokenId: null });
    if (turn > 0) prefills.push(performance.now() - begun);
    let last;
    for await (const _ of model.generate(ids(Number(values.at), turn), { maxNewTokens: 12, eosTokenId: null })) {
      if (turn > 0 && last !== undefined) tokens.push(performance.now() - last);
      last = performance.now();
    }
  }
  console.log(JSON.stringify([median(prefills), tokens.reduce((sum, ms) => sum + ms, 0) / tokens.length]));
  process.exit();
}

if (values.child) await measure();
console.log(`${availableParallelism()} cores, load ${loadavg()[0].toFixed(1)}\n`);
console.log(
  `| | prefill ${values.prefill}, ms: before, now | ratio | token at ${values.at}, ms: before, now | ratio |`,
);
console.log('| --- | --- | --- | --- | --- |');
const env = { ...process.env, ...(await softwareVulkan()) };
for (const device of values.device.split(','))
  for (const dtype of values.dtype.split(',')) {
    const pairs = [];
    for (let run = 0; run < Number(values.runs); run++) {
      const turn = (build) => {
        const flags = ['--experimental-wasm-relaxed-simd', '--no-liftoff', import.meta.filename, build, '--child'];
        const shape = ['prefill', 'at'].map((name) => `--${name}=${values[name]}`);
        const args = [...flags, `--device=${device}`, `--dtype=${dtype}`, ...shape];
        return JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8' }).trim().split('\n').at(-1));
      };
      pairs.push([turn(dist), turn(join(root, 'dist'))]);
    }
    const columns = [0, 1].map((what) => {
      const of = (side) => median(pairs.map((pair) => pair[side][what])).toFixed(1);
      const ratios = pairs.map(([before, now]) => now[what] / before[what]);
      const all = ratios.map((ratio) => ratio.toFixed(2)).join(', ');
      return `${of(0)}, ${of(1)} | ${median(ratios).toFixed(2)} (${all})`;
    });
    console.log(`| ${device} ${dtype} | ${columns.join(' | ')} |`);
  }
