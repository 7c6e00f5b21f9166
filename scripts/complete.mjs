// `npm run complete -- "Once upon a time"`: streams a completion to the terminal. `-- --model M --task fill-mask "The [MASK] sea"`
// does any task of `pipeline`.
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

/** Tasks of `pipeline` -> what they are given. */
const tasks = {
  'text-generation': ['a text'],
  'fill-mask': ['a text with a mask'],
  'text-classification': ['a text'],
  'token-classification': ['a text'],
  'question-answering': ['a question', 'a context'],
  'zero-shot-classification': ['a text', 'labels with commas between them'],
  'feature-extraction': ['a text'],
  translation: ['a text'],
  summarization: ['a text'],
  'text2text-generation': ['a text'],
  'image-classification': ["an image's path or URL"],
  'image-feature-extraction': ["an image's path or URL"],
};
/** What a model was trained to answer -> the task. */
const taskOfHead = {
  'masked-words': 'fill-mask',
  'next-sentence': 'fill-mask',
  classes: 'text-classification',
  'token-classes': 'token-classification',
  answers: 'question-answering',
};

const usage = `Usage: npm run complete -- "Once upon a time" [flags]
       npm run complete -- --model PATH|URL|ID --task TASK INPUT... [flags]
  --task TASK              ${Object.keys(tasks).join(', ')}
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
  const named = ['task', 'model', 'revision', 'device', 'dtype', ...Object.keys(numbers)].map((flag) => [flag, text]);
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
  const options = { source, load: { device: 'wasm', ...load }, generate };
  const { help, task } = values;
  if (!help && task !== undefined) checkTask(task, positionals, values.model);
  return { help, task, inputs: positionals, prompt: positionals.join(' '), ...options };
}

function checkTask(task, inputs, model) {
  // The pipeline knows more names of tasks than are listed here.
  const wanted = Object.hasOwn(tasks, task) ? tasks[task] : ['a text'];
  if (model === undefined) throw new UsageError(`--task ${task} wants a --model, such as public/models/tiny-blanks.`);
  if (inputs.length === wanted.length) return;
  throw new UsageError(`--task ${task} wants ${wanted.join(' and ')}; ${inputs.length} inputs were given.`);
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

/** A task's answer, to be read: texts as they are, scores with their labels, numbers as a list. */
function shown(answer) {
  if (Array.isArray(answer)) return answer.map(shown).join('\n');
  const { score, label, labels, dims, ...rest } = answer;
  if (dims) return `[${dims}]\n[${Array.from(answer.data, (value) => value.toPrecision(6)).join(', ')}]`;
  if (labels) return labels.map((name, i) => `${answer.scores[i].toFixed(4)}  ${name}`).join('\n');
  if (score === undefined) return Object.values(rest).join(' ');
  const { sequence, answer: found, word, start, end, entity, entity_group: group = entity } = rest;
  const where = start === undefined ? '' : ` (${start} to ${end})`;
  return `${score.toFixed(4)}  ${[label, group, sequence ?? found ?? word].filter((part) => part !== undefined).join('  ')}${where}`;
}

async function doTask({ task, inputs, source, load, generate }, signal) {
  if (load.device === 'webgpu') await provideWebGpu();
  const vitrine = await library();
  const pipe = await vitrine.pipeline(task, source, { ...load, onProgress: showProgress, signal });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  try {
    const answer = await pipe(...inputs, { ...generate, signal });
    process.stdout.write(`${shown(answer)}\n`);
    const { kind, adapter, dtype } = pipe.model.device;
    process.stderr.write(`[${kind}: ${adapter}, ${dtype}; ${pipe.task}]\n`);
  } finally {
    await pipe.dispose();
  }
}

/** For a model that writes no text by itself: what to call instead. */
async function wayOut({ task, source, load }, signal) {
  const { inspect } = await library();
  const { revision } = load;
  const found = await inspect(source, { ...(revision && { revision }), signal }).catch(() => undefined);
  if (!found) return undefined;
  const { kind, heads, family } = found;
  const fit =
    kind === 'vision'
      ? heads.length > 0
        ? 'image-classification'
        : 'image-feature-extraction'
      : kind === 'encoder-decoder'
        ? 'translation or --task text2text-generation'
        : kind === 'encoder'
          ? (taskOfHead[heads[0]] ?? 'feature-extraction')
          : 'text-generation';
  return fit === task ? undefined : `This model (${family}) is for --task ${fit}.`;
}

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
let command;
try {
  command = readCommandLine();
  if (command.help) console.log(usage);
  else await (command.task === undefined ? complete : doTask)(command, interrupt.signal);
} catch (error) {
  if (!interrupt.signal.aborted) {
    console.error(error.message);
    const isOther = error.code === 'unsupported-checkpoint' || error.code === 'bad-option';
    const hint = isOther ? ((await wayOut(command, interrupt.signal)) ?? error.hint) : error.hint;
    if (hint) console.error(hint);
    if (error instanceof UsageError || error.code?.startsWith?.('ERR_PARSE_ARGS')) console.error(usage);
    process.exitCode = 1;
  }
}
if (interrupt.signal.aborted) {
  process.stdout.write('\n');
  process.exitCode = 130;
}
