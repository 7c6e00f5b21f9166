import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { chromiumFlags, findBrowser, softwareVulkan } from './scripts/browser.mjs';
import { buildKernels } from './scripts/build-wasm.mjs';
import { isolation } from './scripts/serve.mjs';

// Test processes inherit this: the Vulkan loader reads it when a process starts.
Object.assign(process.env, await softwareVulkan());

await buildKernels();

const full = process.env.VITRINE_FULL === '1';

/**
 * `x.test.ts` runs in Node, and in Chromium too if it is one of these; `x.browser.test.ts` runs only in Chromium,
 * `x.node.test.ts` only in Node, `x.e2e.test.ts` in Node with a browser of its own. `x.full.*` only in `test:full`.
 */
const inChromium = [
  'test/fixtures',
  'test/backends',
  'test/text/cases',
  'test/wasm/**/*',
  'test/gpu/**/*',
  'test/ops/**/*',
  'test/model/**/*',
];

const kind = full ? '.full' : '';
const fullOnly = full ? [] : ['test/**/*.full.*'];
const testTimeout = full ? 900_000 : 240_000; // generous: a loaded machine is no failure

export default defineConfig({
  server: { fs: { strict: true }, headers: isolation },
  test: {
    maxWorkers: 2,
    ...(full && { globalSetup: 'test/model/gpt2-small.setup.mjs' }),
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          environment: 'node',
          execArgv: ['--experimental-wasm-relaxed-simd'], // Node 20 has it, but behind a flag
          testTimeout,
          hookTimeout: testTimeout,
          include: [`test/**/*${kind}.test.ts`, `test/**/*${kind}.node.test.ts`],
          exclude: ['test/**/*.browser.test.ts', 'test/**/*.e2e.test.ts', ...fullOnly],
        },
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
          testTimeout,
          hookTimeout: testTimeout,
          include: [`test/**/*${kind}.browser.test.ts`, ...inChromium.map((files) => `${files}${kind}.test.ts`)],
          exclude: ['test/**/*.node.test.ts', 'test/**/*.e2e.test.ts', ...fullOnly],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { executablePath: await findBrowser(), args: chromiumFlags },
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
          testTimeout: Math.max(testTimeout, 120_000),
          hookTimeout: 120_000,
          include: [`test/**/*${kind}.e2e.test.ts`],
          exclude: fullOnly,
        },
      },
    ],
  },
});
