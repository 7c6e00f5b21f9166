// `npm run sizes`: what a page downloads of the built library, gzip, against the most it may be. `-- --write` puts the table
// into docs/sizes.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const page = join(root, 'docs/sizes.md');

const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'));
/** The worker's script is built by itself, and imports nothing. */
manifest.engine = { file: 'engine.js', isEntry: true };
const bytes = (key) => gzipSync(readFileSync(join(dist, manifest[key].file)), { level: 9 }).length;

/** The chunks that importing some brings with it, themselves first. */
function closure(keys, found = new Set()) {
  for (const key of keys) {
    if (found.has(key)) continue;
    found.add(key);
    closure(manifest[key].imports ?? [], found);
  }
  return found;
}

/** The chunk that has a module in it: its file is named after more than one. */
function chunkOf(source) {
  if (manifest[source]) return source;
  return Object.keys(manifest).find((key) => {
    if (manifest[key].isEntry) return false;
    if (key.includes(source)) return true;
    try {
      return JSON.parse(readFileSync(join(dist, `${manifest[key].file}.map`), 'utf8')).sources.some((one) =>
        one.endsWith(source),
      );
    } catch {
      return false; // all data, without a map
    }
  });
}

const engine = closure(['src/index.ts']);

/** `beyond`: what is already there then, and not counted. The limits are in kB of 1000 bytes. */
const rows = [
  { what: "`import 'vitrine'`", of: ['src/index.ts'], limit: 62.5 },
  { what: "`vitrine/worker`, the page's side", of: ['src/embed/client.ts'], limit: 12.1 },
  { what: '`vitrine/engine`, all that its worker fetches', of: ['engine'], limit: 285 },
  { what: '`vitrine/analysis`', of: ['src/analysis/index.ts'], limit: 20 },
  {
    what: 'encoders: BERT and its kin',
    of: [chunkOf('src/run/load-encoder.ts'), chunkOf('src/model/bert.ts')],
    beyond: engine,
    limit: 18,
  },
  {
    what: 'encoder-decoders: Marian',
    of: [chunkOf('src/run/load-encoder-decoder.ts'), chunkOf('src/model/marian.ts')],
    beyond: engine,
    limit: 9,
  },
  {
    what: 'images: ViT and DeiT',
    of: [chunkOf('src/run/load-vision.ts'), chunkOf('src/model/vit.ts')],
    beyond: engine,
    limit: 18,
  },
  { what: '`vitrine/learn`, beyond the engine', of: ['src/learn/index.ts'], beyond: engine, limit: 47 },
  { what: '`vitrine/elements`, beyond the engine', of: ['src/embed/elements.ts'], beyond: engine, limit: 12 },
  { what: '`vitrine/openai`, beyond the engine', of: ['src/embed/openai.ts'], beyond: engine, limit: 12 },
  { what: '`vitrine/ai-sdk`, beyond the engine', of: ['src/embed/ai-sdk.ts'], beyond: engine, limit: 6 },
  { what: '`vitrine/react`, beyond the engine', of: ['src/embed/react.ts'], beyond: engine, limit: 6 },
  {
    what: 'on WebGPU',
    of: [chunkOf('src/gpu/open.ts'), chunkOf('src/gpu/shaders/real.ts')],
    beyond: engine,
    limit: 40,
  },
  {
    what: 'on WebAssembly',
    of: [chunkOf('src/wasm/backend.ts'), chunkOf('src/wasm/binary-relaxed.ts')],
    beyond: engine,
    limit: 33,
  },
  { what: 'on plain JavaScript', of: [chunkOf('src/cpu/backend.ts')], beyond: engine, limit: 10 },
  { what: "a vocabulary of the model's own", of: [chunkOf('own-vocabulary-')], beyond: engine, limit: 20 },
  { what: 'patterns that JavaScript reads otherwise', of: [chunkOf('tokenizers-')], beyond: engine, limit: 15 },
  { what: 'chat templates', of: [chunkOf('jinja-')], beyond: engine, limit: 25 },
  { what: "GPT-2's vocabulary, where the model brings none", of: [chunkOf('r50k_base')], beyond: engine, limit: 220 },
];

const measured = rows.map(({ beyond = new Set(), ...row }) => {
  const size = [...closure(row.of)].filter((key) => !beyond.has(key)).reduce((sum, key) => sum + bytes(key), 0);
  return { ...row, size: size / 1000 };
});
const lines = measured.map(({ what, size, limit }) => `| ${what} | ${size.toFixed(1)} | ${limit} |`);
const table = `| what is fetched | kB, gzip | at most |\n| --- | ---: | ---: |\n${lines.join('\n')}\n`;
console.log(table);

const tooLarge = measured.filter(({ size, limit }) => size > limit);
for (const { what, size, limit } of tooLarge) console.error(`${what}: ${size.toFixed(1)} kB, more than ${limit}`);
process.exitCode = tooLarge.length ? 1 : 0;

const marks = /(<!-- sizes -->\n)[\s\S]*(<!-- \/sizes -->)/;
const text = readFileSync(page, 'utf8');
if (process.argv.includes('--write')) writeFileSync(page, text.replace(marks, `$1\n${table}\n$2`));
else {
  const told = new Map(
    [...text.matchAll(/^\| (.+) \| ([\d.]+) \| [\d.]+ \|$/gm)].map(([, what, size]) => [what, Number(size)]),
  );
  const wrong = measured.filter(({ what, size }) => !(Math.abs(size - told.get(what)) <= Math.max(1, size * 0.2)));
  if (wrong.length)
    console.error(
      `docs/sizes.md is out of date (${wrong.map(({ what }) => what).join(', ')}): npm run sizes -- --write`,
    );
  if (wrong.length) process.exitCode = 1;
}
