import { create, globals } from 'webgpu';

/**
 * WebGPU in Node: Dawn, on SwiftShader where there is no GPU (vitest.config.ts sets the environment). Kept here because
 * an instance must outlive everything made from it: collected early, it takes the process down.
 */
export const dawn: GPU = create([]);

Object.assign(globalThis, globals);
if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: {} }); // Node 20
Object.defineProperty(navigator, 'gpu', { value: dawn, configurable: true });
