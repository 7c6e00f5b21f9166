// Checks what docs/design.md promises of the source: imports point downwards only and in no circle, no file grows past 400 lines, and
// the engine (shaders, and what of src is in none of the rooms with a budget of their own, listed below, nor in page) and others keep their budgets of lines.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';

/** Room of src/ -> rooms it may import from, beside itself. */
const below = {
  plan: [],
  host: ['plan'],
  model: ['plan'],
  cpu: ['plan'],
  gpu: ['plan', 'shaders'],
  wasm: ['plan', 'host', 'cpu'],
  load: ['plan', 'model'],
  text: ['plan', 'load'],
  image: ['plan'],
  adapter: ['plan', 'model', 'load'],
  run: ['plan', 'model', 'cpu', 'gpu', 'wasm', 'load', 'text', 'image', 'adapter'],
  analysis: ['plan', 'run'],
  learn: ['plan', 'model', 'load', 'text', 'adapter', 'run'],
  index: ['plan', 'model', 'cpu', 'gpu', 'wasm', 'load', 'text', 'image', 'run', 'analysis'],
  embed: ['plan', 'model', 'load', 'text', 'image', 'adapter', 'run', 'analysis', 'learn', 'index', 'host'],
  static: ['plan', 'model', 'adapter', 'cpu', 'gpu', 'wasm', 'load', 'text', 'index', 'run'],
  page: ['plan', 'model', 'load', 'text', 'adapter', 'run', 'analysis', 'learn', 'index', 'embed'],
};
const fileLimit = 400;
/** Lines of code, as tinygrad's sz.py counts, neither blank nor comment: what is counted, in which paths, and the most. */
const budgets = [
  {
    name: 'engine',
    paths:
      /^(shaders\/(?!adjoint\/)|src\/(?!page\/|embed\/|learn\/|adapter\/|gpu\/kernels\/adjoint|(plan|cpu)\/(adjoint|gradient|activation-slope)|wasm\/|host\/|image\/|text\/|run\/canary\/|run\/pipeline))/,
    limit: 17980,
  },
  { name: 'pipelines', paths: /^src\/run\/pipeline/, limit: 670 },
  { name: 'wasm', paths: /^src\/wasm\/(?!binary|adjoint|kernels\/adjoint)/, limit: 3340 },
  { name: 'canary', paths: /^src\/run\/canary\//, limit: 900 },
  { name: 'image', paths: /^src\/image\//, limit: 770 },
  { name: 'text', paths: /^src\/text\//, limit: 3060 },
  { name: 'adapter', paths: /^src\/adapter\//, limit: 1200 },
  {
    name: 'adjoints',
    paths:
      /^(shaders\/adjoint\/|src\/((plan|cpu)\/(adjoint|gradient|activation-slope)|(gpu\/kernels|wasm|wasm\/kernels)\/adjoint))/,
    limit: 2390,
  },
  { name: 'learn', paths: /^src\/learn\//, limit: 2760 },
  { name: 'host', paths: /^src\/host\//, limit: 290 },
  { name: 'embed', paths: /^src\/embed\//, limit: 3030 },
];

const root = process.argv[2] ?? join(import.meta.dirname, '..');
const problems = [];
/** Files of src/ -> the files that they import. */
const imports = new Map();

function sources(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(tsx?|wgsl|css)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

/** `src/gpu/kernels/add.ts` is in room gpu, `src/index.ts` in room index, `shaders/add.wgsl` in room shaders. */
function roomOf(path) {
  if (path.startsWith('shaders/')) return 'shaders';
  const [, room] = path.split('/');
  return path.startsWith('src/') ? room.replace(/(\.d)?\.tsx?$/, '') : undefined;
}

function checkImports(path, text) {
  const room = roomOf(path);
  if (!(room in below)) problems.push(`${path}: src/${room} is no room of the design`);
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\(|new URL\()\s*'(\.[^']*)'/g)].map(
    (match) => match[1],
  );
  imports.set(path, []);
  for (const specifier of specifiers) {
    const file = posix.normalize(posix.join(posix.dirname(path), specifier.replace(/\?.*$/, '')));
    imports.get(path).push(file);
    const target = roomOf(file);
    if (target !== room && !below[room]?.includes(target)) {
      problems.push(`${path}: ${room} must not import ${target ?? 'from outside src and shaders'} (${specifier})`);
    }
  }
}

/** Circles of files; the rooms have none, so each is within one. */
function checkCircles() {
  const done = new Set();
  function visit(path, way) {
    const at = way.indexOf(path);
    if (at >= 0) {
      const circle = [...way.slice(at), path].join(' -> ');
      problems.push(`A circle of imports: ${circle}`);
      return;
    }
    if (done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  }
  for (const path of imports.keys()) visit(path, []);
}

const counts = budgets.map(() => 0);
for (const path of [...sources('src/'), ...sources('shaders/')]) {
  const text = readFileSync(join(root, path), 'utf8');
  const lines = text.split('\n').length - 1;
  if (lines > fileLimit) problems.push(`${path}: ${lines} lines, more than ${fileLimit}`);
  const code = text.split('\n').filter((line) => !/^\s*($|\/\/|\/?\*)/.test(line)).length;
  for (const [i, { paths }] of budgets.entries()) if (paths.test(path)) counts[i] += code;
  if (path.startsWith('src/') && /\.tsx?$/.test(path)) checkImports(path, text);
}
checkCircles();
for (const [i, { name, limit }] of budgets.entries()) {
  if (counts[i] > limit) problems.push(`${name} has ${counts[i]} lines of code, more than ${limit}`);
}

for (const problem of problems) console.error(problem);
const used = budgets.map(({ name, limit }, i) => `${name} ${counts[i]} of ${limit}`).join(', ');
console.log(`Rooms: ${problems.length ? `${problems.length} problems` : 'in order'}; lines of code: ${used}.`);
process.exitCode = problems.length ? 1 : 0;
