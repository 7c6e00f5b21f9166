// Checks what docs/design.md promises of the source: imports point downwards only, no file grows past 400 lines, and
// the engine (src without page and the WebAssembly backend, plus shaders) stays under
// 10,500 lines of code.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';

/** Room of src/ -> rooms it may import from, beside itself. */
const below = {
  plan: [],
  model: ['plan'],
  cpu: ['plan'],
  gpu: ['plan', 'shaders'],
  wasm: ['plan'],
  load: ['plan', 'model'],
  text: ['plan', 'load'],
  run: ['plan', 'model', 'cpu', 'gpu', 'wasm', 'load', 'text'],
  index: ['plan', 'model', 'cpu', 'gpu', 'wasm', 'load', 'text', 'run'],
  embed: ['plan', 'model', 'load', 'text', 'run', 'index'],
  page: ['plan', 'model', 'load', 'text', 'run', 'index', 'embed'],
};
const fileLimit = 400;
/** Lines of code, as tinygrad's sz.py counts: neither blank nor comment. */
const engineLimit = 10500;

const root = process.argv[2] ?? join(import.meta.dirname, '..');
const problems = [];

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
  if (room === 'wgsl') return; // the declaration of `*.wgsl?raw`
  if (!(room in below)) problems.push(`${path}: src/${room} is no room of the design`);
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\(|new URL\()\s*'(\.[^']*)'/g)].map(
    (match) => match[1],
  );
  for (const specifier of specifiers) {
    const target = roomOf(posix.normalize(posix.join(posix.dirname(path), specifier.replace(/\?.*$/, ''))));
    if (target !== room && !below[room]?.includes(target)) {
      problems.push(`${path}: ${room} must not import ${target ?? 'from outside src and shaders'} (${specifier})`);
    }
  }
}

let engine = 0;
for (const path of [...sources('src/'), ...sources('shaders/')]) {
  const text = readFileSync(join(root, path), 'utf8');
  const lines = text.split('\n').length - 1;
  if (lines > fileLimit) problems.push(`${path}: ${lines} lines, more than ${fileLimit}`);
  if (!/^src\/(page|wasm)\//.test(path))
    engine += text.split('\n').filter((line) => !/^\s*($|\/\/|\/?\*)/.test(line)).length;
  if (path.startsWith('src/') && /\.tsx?$/.test(path)) checkImports(path, text);
}
if (engine > engineLimit) problems.push(`The engine has ${engine} lines of code, more than ${engineLimit}`);

for (const problem of problems) console.error(problem);
console.log(
  `Rooms: ${problems.length ? `${problems.length} problems` : 'in order'}; engine ${engine} of ${engineLimit} lines of code.`,
);
process.exitCode = problems.length ? 1 : 0;
