import { readdirSync, readFileSync } from 'node:fs';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumFlags, findHeadless, softwareVulkan } from './scripts/browser.mjs';
import { buildKernels } from './scripts/build-wasm.mjs';
import { isolation } from './scripts/serve.mjs';

// Test processes inherit this: the Vulkan loader reads it when a process starts.
Object.assign(process.env, await softwareVulkan());

await buildKernels();

const full = process.env.VITRINE_FULL === '1';

/**
 * `x.test.ts` runs in Node (project `unit`), and in Chromium too if it is one of these; `x.node.test.ts` only in Node
 * (`node`), `x.browser.test.ts` only in Chromium, `x.e2e.test.ts` in Node with a browser. Tests in Node that need a GPU
 * are projects `gpu` and `gpu-models`. `x.full.*` only in `test:full`, which also runs those that ask whether it is that (`isFull`).
 */
const inChromium = [
  'test/fixtures',
  'test/backends',
  'test/text/{cases,families,inputs}',
  'test/wasm/!(blocks)*', // by day the longest file of kernels runs in Node's V8 alone
  'test/ops/edit',
  'test/model/config',
];
/** Chromium has the Dawn and the SwiftShader of the tests in Node: its own run of all kernels is one of `test:full`. */
const inChromiumOnceANight = ['test/{gpu,model,ops}/**/*.test.ts', 'test/wasm/{blocks,variants}.test.ts'];

const usesGpu =
  /\b(backends|testGpu|sharedDevice|webgpu\w*)\b.*\bbackends\.ts'|fixed-logits|(altered|beyond|planted|split-case|empty-kernels)\.ts'/;

const read = (path: string) => readFileSync(path, 'utf8');
const all = readdirSync('test', { recursive: true, encoding: 'utf8' }).map(
  (path) => `test/${path.replaceAll('\\', '/')}`,
);
const inNodeAll = all.filter((path) => /^(?!test\/(real|browsers)\/).*(?<!\.(e2e|browser))\.test\.ts$/.test(path));
const inPages = all.filter((path) => path.endsWith('.e2e.test.ts'));
/** Tests that `test:full` runs for what they do in it alone. */
const isAsking = (path: string) => full && !path.includes('.full.') && /\bisFull\b/.test(read(path));
const asking = inNodeAll.filter(isAsking);

/**
 * Tests in Node that need a GPU, by what they import. A process runs many of them, and compiles each pipeline once; two processes, those of
 * kernels and those of models, compile side by side, which the software GPU does not by itself.
 */
const onGpu = inNodeAll
  .filter((path) => usesGpu.test(read(path)))
  .filter((path) => path.includes('.full.') === full || asking.includes(path));

const kind = full ? '.full' : '';
const fullOnly = full ? [] : ['test/**/*.full.*'];
const testTimeout = full ? 900_000 : 240_000; // generous: a loaded machine is no failure

const inNode = {
  environment: 'node',
  // Node 20 has relaxed SIMD, but behind a flag, and its first compiler has the 8-bit products wrong.
  execArgv: ['--experimental-wasm-relaxed-simd', '--no-liftoff'],
};

const onOneGpu = { ...inNode, isolate: false, maxWorkers: 1, sequence: { groupOrder: 1 } };
const ofKernels = (path: string) => /^test\/(gpu|ops)\//.test(path);

export default defineConfig({
  server: { fs: { strict: true }, headers: isolation },
  test: {
    maxWorkers: 2,
    env: { VITRINE_FULL: full ? '1' : '0' },
    testTimeout,
    hookTimeout: testTimeout,
    expect: { poll: { timeout: testTimeout / 2 } },
    ...(full && { globalSetup: 'test/model/gpt2-small.setup.mjs' }),
    projects: [
      {
        extends: true,
        test: {
          ...inNode,
          name: 'unit',
          isolate: false, // a process for each file costs more than the tests
          include: [`test/**/*${kind}.test.ts`, ...asking],
          exclude: ['test/**/*.{node,browser,e2e}.test.ts', 'test/{browsers,real}/**', ...onGpu, ...fullOnly],
        },
      },
      {
        extends: true,
        test: {
          ...inNode,
          name: 'node',
          isolate: full, // at night some measure the memory of their process
          include: [`test/**/*${kind}.node.test.ts`, ...asking.filter((path) => path.endsWith('.node.test.ts'))],
          exclude: [...onGpu, ...fullOnly],
        },
      },
      {
        extends: true,
        test: { ...onOneGpu, name: 'gpu', include: onGpu.filter(ofKernels) },
      },
      {
        extends: true,
        test: { ...onOneGpu, name: 'gpu-models', include: onGpu.filter((path) => !ofKernels(path)) },
      },
      {
        extends: true,
        // Found late, a dependency makes the server reload the page under a running test.
        optimizeDeps: {
          exclude: ['webgpu'],
          include: [
            'gpt-tokenizer/bpeRanks/r50k_base',
            '@huggingface/tokenizers',
            'axe-core',
            'react',
            'react-dom/client',
            'react-dom/server',
          ],
        },
        test: {
          name: 'chromium',
          isolate: false, // all files share a page, and its device
          include: [
            `test/**/*${kind}.browser.test.ts`,
            ...inChromium.map((files) => `${files}${kind}.test.ts`),
            ...(full ? inChromiumOnceANight : []),
          ],
          exclude: ['test/**/*.node.test.ts', 'test/**/*.e2e.test.ts', ...fullOnly],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { executablePath: await findHeadless(), args: chromiumFlags },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          environment: 'node',
          isolate: false, // a process shares its Chromium
          include: [`test/**/*${kind}.e2e.test.ts`, ...inPages.filter(isAsking)],
          exclude: fullOnly,
        },
      },
      {
        extends: true,
        test: {
          name: 'browsers',
          environment: 'node',
          include: [`test/browsers/*${kind}.test.ts`],
          exclude: fullOnly,
        },
      },
    ],
  },
});
