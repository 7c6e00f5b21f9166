// `npm run build:wasm`: compiles src/wasm/kernels (AssemblyScript) twice: for plain 128-bit SIMD and with relaxed
// SIMD, into src/wasm/binary-plain.ts and binary-relaxed.ts, and the layout of steps into binary.ts; what packs weights, which every
// device has use for, into src/plan/binary-pack.ts. Does nothing if these are newer.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..');
const kernels = join(root, 'src/wasm/kernels');
const target = (name) => join(root, `src/${name === 'binary-pack' ? 'plan' : 'wasm'}/${name}.ts`);
const targets = ['binary', 'binary-plain', 'binary-relaxed', 'binary-pack'].map(target);

const flags = [
  ...['-O3', '--noAssert', '--runtime', 'stub'],
  ...['--enable', 'simd', '--enable', 'bulk-memory'],
  // Warnings about vectors in exported functions and about 64-bit memory: neither leaves the module.
  ...['--disableWarning', '112', '--disableWarning', '201'],
];
const shared = [
  ...['--enable', 'threads'],
  // One memory for all threads, up to 4 GB; module.ts makes it one that is not shared where that cannot be had.
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
];

async function compile(source, extra) {
  const { main } = await import('assemblyscript/asc'); // takes half a second: only when needed
  const folder = mkdtempSync(join(tmpdir(), 'vitrine-kernels-'));
  try {
    const out = join(folder, 'kernels.wasm');
    const { error, stderr } = await main([join(kernels, source), '--outFile', out, ...flags, ...extra]);
    if (error) throw new Error(`The WebAssembly kernels do not compile.\n${stderr.toString()}`);
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the kernels' compiler must know: constants, the numbers of the enums, and the fields of what it writes with their types. */
function layout(source) {
  const members = (text, pattern, value) => Object.fromEntries([...text.matchAll(pattern)].map(value));
  const enums = [...source.matchAll(/^export enum (\w+) \{(.*?)\n\}/gms)].map(([, name, text]) => [
    name,
    members(text, /\w+/g, ([member], i) => [member, i]),
  ]);
  const classes = [...source.matchAll(/^export class (Step|Table|Part) \{(.*?)\n\}/gms)].map(([, name, text]) => [
    name,
    members(text, /^ {2}(\w+): (\w+);/gm, ([, field, type]) => [field, type]),
  ]);
  const constants = members(source, /^export const (\w+): i32 = (\d+);/gm, ([, name, value]) => [name, Number(value)]);
  const all = { ...constants, ...Object.fromEntries([...enums, ...classes]) };
  return `export const layout = ${JSON.stringify(all)} as const;\n`;
}

export async function buildKernels() {
  const sources = readdirSync(kernels).map((name) => join(kernels, name));
  const made = [import.meta.filename, ...sources].map((path) => statSync(path).mtimeMs);
  if (targets.every((path) => existsSync(path) && statSync(path).mtimeMs > Math.max(...made))) return;
  const plain = await compile('index.ts', shared);
  const relaxed = await compile('index.ts', [...shared, '--enable', 'relaxed-simd']);
  const pack = await compile('pack.ts', []);
  const write = (name, text) =>
    writeFileSync(target(name), `// Made from src/wasm/kernels by scripts/build-wasm.mjs.\n${text}`);
  // Hexadecimal: base64, whose letters do not begin where bytes do, is a quarter more once it is compressed.
  write('binary-plain', `export const hex =\n  '${plain.toString('hex')}';\n`);
  write('binary-relaxed', `export const hex =\n  '${relaxed.toString('hex')}';\n`);
  write('binary-pack', `export const hex =\n  '${pack.toString('hex')}';\n`);
  write('binary', layout(readFileSync(join(kernels, 'step.ts'), 'utf8')));
  console.log(
    `WebAssembly kernels: ${plain.length} bytes, with relaxed SIMD ${relaxed.length}, packing ${pack.length}.`,
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await buildKernels();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
