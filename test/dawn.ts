import { create, globals } from 'webgpu';
import { isFull } from './full.ts';

/**
 * WebGPU in Node: Dawn, on SwiftShader where there is no GPU (vitest.config.ts sets the environment). Kept here because
 * an instance must outlive everything made from it: collected early, it takes the process down.
 * By day without the bounds checks that browsers add to shaders: a fifth less to compile. A kernel that relies on
 * them may then take the process down; `test/gpu/beyond.test.ts` finds such kernels.
 */
export const dawn: GPU = create(isFull ? [] : ['enable-dawn-features=disable_robustness']);

Object.assign(globalThis, globals);
if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: {} }); // Node 20
Object.defineProperty(navigator, 'gpu', { value: dawn, configurable: true });

/**
 * Dawn asks for what is done at every turn of the event loop, by `setImmediate`, for as long as anything is awaited: a core
 * that software Vulkan would compile and compute on. A millisecond between two questions costs a test nothing.
 */
const { setImmediate: immediately } = globalThis;
const isNative = (callback: unknown) => Function.prototype.toString.call(callback).includes('[native code]');
globalThis.setImmediate = Object.assign(
  (callback: (...args: unknown[]) => void, ...args: unknown[]) =>
    isNative(callback) ? setTimeout(callback, 1) : immediately(callback, ...args),
  immediately,
) as typeof setImmediate;
