import { defineConfig } from 'vitest/config';
import { softwareVulkan } from './scripts/browser.mjs';
import { buildKernels } from './scripts/build-wasm.mjs';

// Test processes inherit this: the Vulkan loader reads it when a process starts.
Object.assign(process.env, await softwareVulkan());

await buildKernels();

/** The tests of published models (`npm run test:real`): one process, so that they share a device. */
export default defineConfig({
  test: {
    name: 'real',
    environment: 'node',
    include: ['test/real/**/*.test.ts'],
    exclude: process.env.VITRINE_REAL === 'full' ? [] : ['**/*.full.test.ts'],
    execArgv: ['--experimental-wasm-relaxed-simd'], // Node 20 has it, but behind a flag
    isolate: false,
    maxWorkers: 1,
    testTimeout: 240_000, // generous: a loaded machine is no failure
    hookTimeout: 240_000,
  },
});
