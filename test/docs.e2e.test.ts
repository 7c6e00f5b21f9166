import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Model } from '../src/index.ts';

/**
 * Runs the fenced examples (```js) of the documentation in Node, from the built package as its users have it, with the embedded
 * model in place of those of a hub. `model` is a loaded one. What only a bundler or a browser can run is fenced as ```js no-run
 * and tested elsewhere (test/hosts).
 */
const folderOf = (path: string) => fileURLToPath(new URL(`../${path}/`, import.meta.url));
const embedded = folderOf('public/models/tiny-tales');
/** What stands in for a model that the documentation names; for any other of a hub the embedded one does. */
const standIns: Record<string, string> = {
  'sentence-transformers/all-MiniLM-L6-v2': folderOf('test/fixtures/families/st-mean'),
  'google/vit-base-patch16-224': folderOf('public/models/tiny-digits'),
  'google-bert/bert-base-uncased': folderOf('public/models/tiny-blanks'),
  'distilbert/distilbert-base-uncased-finetuned-sst-2-english': folderOf('test/fixtures/families/distilbert-seqcls'),
  'dslim/bert-base-NER': folderOf('test/fixtures/families/bert-tokcls'),
  'distilbert/distilbert-base-cased-distilled-squad': folderOf('test/fixtures/families/bert-qa'),
  'Helsinki-NLP/opus-mt-en-fr': folderOf('public/models/tiny-translate'),
  'HuggingFaceTB/SmolLM2-135M-Instruct': folderOf('test/fixtures/families/qwen2'),
  'openai-community/gpt2-medium': folderOf('test/fixtures/tiny-gpt2'),
  'your-name/gpt2-medium-poems': folderOf('test/fixtures/learning/tiny-gpt2/adapter-end'),
  'your-name/gpt2-medium-recipes': folderOf('test/fixtures/learning/tiny-gpt2/adapter-all-linear'),
  'google-bert/bert-base-cased': folderOf('test/fixtures/families/bert-seqcls'),
  'your-name/bert-tickets': folderOf('test/fixtures/learning/bert-seqcls/adapter-end'),
  'google-t5/t5-small': folderOf('public/models/tiny-tasks'),
};
const pages = [
  'start',
  'worker',
  'families',
  'devices',
  'errors',
  'migration',
  'decoding',
  'tokenizer',
  'tracing',
  'faces',
  'learning',
];

/** An entry of the package, or another package that the documentation speaks of. */
const entryOf = (name: string) => {
  if (!name.startsWith('vitrine')) return import(name);
  const file =
    name === 'vitrine' ? 'vitrine' : name === 'vitrine/worker' ? 'vitrine-worker' : name.slice('vitrine/'.length);
  return import(new URL(`../dist/${file}.js`, import.meta.url).href);
};

let model: Model;
beforeAll(async () => {
  model = await (await entryOf('vitrine')).load(embedded, { device: 'wasm' });
});
afterAll(() => model?.dispose());

async function examples(page: string): Promise<string[]> {
  const text = await readFile(new URL(`../docs/${page}.md`, import.meta.url), 'utf8');
  // A comparison with another engine has that one's lines first.
  return [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) =>
    code!.replace(/^\/\/ before\n[\s\S]*?(?=\/\/ after\n)/, ''),
  );
}

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<void>;

test.each(pages)('the examples of docs/%s.md run', async (page) => {
  const found = await examples(page);
  expect(found.length).toBeGreaterThan(0);
  for (const code of found) {
    const body = code
      .replace(/^import (\{[^}]*\}) from '([^']*)';$/gm, "const $1 = await entryOf('$2');")
      .replace(/^import (\w+) from '([^']*)';$/gm, "const { default: $1 } = await entryOf('$2');")
      .replace(/'(openai-community\/gpt2|https:\/\/huggingface\.co\/[^']*)'/g, JSON.stringify(embedded))
      .replace(/'([\w-]+\/[\w.-]+)'/g, (text, name: string) => JSON.stringify(standIns[name] ?? text.slice(1, -1)));
    const lines: unknown[][] = [];
    const console = { log: (...values: unknown[]) => lines.push(values) };
    const scope = { entryOf, console, onProgress() {}, ...(/\bmodel =/.test(code) ? {} : { model }) };
    await new AsyncFunction(...Object.keys(scope), body)(...Object.values(scope));
    expect(lines.length, code).toBeGreaterThan(0);
    expect(lines.flat(), code).not.toContain(undefined);
  }
});

test('the component of docs/faces.md is that of examples/react, which test/hosts builds and runs', async () => {
  const [page, app] = await Promise.all(
    ['../docs/faces.md', '../examples/react/src/App.jsx'].map((name) =>
      readFile(new URL(name, import.meta.url), 'utf8'),
    ),
  );
  expect(page).toContain(`\`\`\`jsx\n${app}\`\`\``);
});
