import { create, globals } from 'webgpu';

/** WebGPU in Node: Dawn, on SwiftShader where there is no GPU (vitest.config.ts sets the environment). */
Object.assign(globalThis, globals);

/** Dawn's instance must outlive everything made from it: collected early, it takes the process down. */
export const dawn: GPU = create([]);
