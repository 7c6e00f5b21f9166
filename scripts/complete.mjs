// `npm run complete -- "Once upon a time"`: streams a completion to the terminal.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { softwareVulkan } from './browser.mjs';

const root = join(import.meta.dirname, '..');

/** Flag -> option of generate. */
const numbers = {
  'max-new-tokens': 'maxNewTokens',
  'min-new-tokens': 'minNewTokens',
  temperature: 'temperature',
  'top-k': 'topK',
  'top-p': 'topP',
  'min-p': 'minP',
  'repetition-penalty': 'repetitionPenalty',
  'frequency-penalty': 'frequencyPenalty',
  'presence-penalty': 'presencePenalty',
  seed: 'seed',
};

const usage = `Usage: npm run complete -- "Once upon a time" [flags]
  --model PATH|URL|ID      a folder, a URL or a Hugging Face id (default: the embedded tiny-tales)
  --revision NAME          branch, tag or commit of a Hugging Face model
  --device wasm|cpu|webgpu (default: wasm)
  --dtype auto|f32|f16|q8|q4
  --stop TEXT              ends the text before TEXT; may be given more than once
  ${Object.keys(numbers)
    .map((flag) => `--${flag} N`)
    .join('\n  ')}`;

class UsageError extends Error {}

/** The command line as { prompt, source, load, generate }. */
function readCommandLine() {
  const text = { type: 'string' };
  const named = ['model', 'revision', 'device', 'dtype', ...Object.keys(numbers)].map((flag) => [flag, text]);
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ...Object.fromEntries(named), stop: { ...text, multiple: true }, help: { type: 'boolean', short: 'h' } },
  });
  const generate = values.stop ? { stop: values.stop } : {};
  for (const [flag, option] of Object.entries(numbers)) {
    if (values[flag] === undefined) continue;
    generate[option] = Number(values[flag]);
    if (values[flag].trim() === '' || Number.isNaN(generate[option])) {
      throw new UsageError(`--${flag} wants a number, not "${values[flag]}".`);
    }
  }
  const load = Object.fromEntries(
    ['revision', 'device', 'dtype'].filter((flag) => values[flag] !== undefined).map((flag) => [flag, values[flag]]),
  );
  const model = values.model ?? join(root, 'public/models/tiny-tales');
  const source = existsSync(model) ? pathToFileURL(resolve(model)).href : model;
  return { help: values.help, prompt: positionals.join(' '), source, load: { device: 'wasm', ...load }, generate };
}

/** Puts Dawn where a browser has WebGPU; without a GPU starts again on the software one, whose driver is read at start. */
async function provideWebGpu() {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create([]);
  if ((await gpu.requestAdapter()) === null && !process.env.VITRINE_RESTARTED) {
    const driver = await softwareVulkan();
    if (driver.VK_ICD_FILENAMES) {
      console.error('No GPU found: running on the software one.');
      const env = { ...process.env, ...driver, VITRINE_RESTARTED: '1' };
      process.exit(spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit', env }).status ?? 1);
    }
  }
  globalThis.navigator ??= {}; // Node 20 has none
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
}

async function library() {
  const built = join(root, 'dist/vitrine.js');
  if (!existsSync(built)) {
    console.error('Building the library first (npm run build:library)...');
    const vite = fileURLToPath(import.meta.resolve('vite/package.json')).replace('package.json', 'bin/vite.js');
    const build = spawnSync(process.execPath, [vite, 'build', '--mode', 'library', '--logLevel', 'warn'], {
      cwd: root,
      stdio: ['ignore', process.stderr, process.stderr],
    });
    if (build.status !== 0) throw new Error('The library could not be built.');
  }
  return import(pathToFileURL(built).href);
}

/** One line on the terminal while a download runs. */
function showProgress({ stage, loaded, total }) {
  if (!process.stderr.isTTY) return;
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  process.stderr.write(`\r\x1b[K${stage} ${megabytes(loaded)}${total ? ` of ${megabytes(total)}` : ''} MB`);
}

async function complete({ prompt, source, load, generate }, signal) {
  if (load.device === 'webgpu') await provideWebGpu();
  const vitrine = await library();
  const model = await vitrine.load(source, { ...load, onProgress: showProgress, signal });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  try {
    let shown = '';
    const show = (text) => {
      process.stdout.write(text);
      shown += text;
    };
    process.stdout.write(prompt);
    const tokens = model.generate(prompt, { ...generate, signal });
    let next = await tokens.next();
    for (; !next.done; next = await tokens.next()) show(next.value.text);
    const { text, finishReason, usage, timing } = next.value;
    show(text.slice(shown.length)); // what waited for the end of a character
    const { kind, adapter, dtype } = model.device;
    const speed = `${usage.completion} tokens at ${timing.tokensPerSecond.toFixed(1)} a second`;
    process.stderr.write(`\n[${kind}: ${adapter}, ${dtype}; ${speed}; ${finishReason}]\n`);
  } finally {
    model.dispose();
  }
}

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
try {
  const command = readCommandLine();
  if (command.help) console.log(usage);
  else await complete(command, interrupt.signal);
} catch (error) {
  if (!interrupt.signal.aborted) {
    console.error(error.message);
    if (error instanceof UsageError || error.code?.startsWith?.('ERR_PARSE_ARGS')) console.error(usage);
    process.exitCode = 1;
  }
}
if (interrupt.signal.aborted) {
  process.stdout.write('\n');
  process.exitCode = 130;
}
