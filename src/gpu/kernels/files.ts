import activate from '../../../shaders/activate.wgsl?raw';
import batch from '../../../shaders/batch.wgsl?raw';
import cacheF16 from '../../../shaders/cache/f16.wgsl?raw';
import cacheF32 from '../../../shaders/cache/f32.wgsl?raw';
import cacheQ8 from '../../../shaders/cache/q8.wgsl?raw';
import cacheWrite from '../../../shaders/cache-write.wgsl?raw';
import lanes from '../../../shaders/lanes.wgsl?raw';
import bf16 from '../../../shaders/weights/bf16.wgsl?raw';
import f16 from '../../../shaders/weights/f16.wgsl?raw';
import f32 from '../../../shaders/weights/f32.wgsl?raw';
import q4 from '../../../shaders/weights/q4.wgsl?raw';
import q8 from '../../../shaders/weights/q8.wgsl?raw';
import type { WeightFormat } from '../../plan/backend.ts';
import type { KvFormat } from '../../plan/kv.ts';
import type { ShaderFile } from '../shader.ts';

/** The files that go in front of kernels. */
export const batchFile: ShaderFile = { name: 'batch.wgsl', source: batch };
export const lanesFile: ShaderFile = { name: 'lanes.wgsl', source: lanes };
export const activateFile: ShaderFile = { name: 'activate.wgsl', source: activate };
export const formatFile: Record<WeightFormat, ShaderFile> = {
  f32: { name: 'weights/f32.wgsl', source: f32 },
  bf16: { name: 'weights/bf16.wgsl', source: bf16 },
  f16: { name: 'weights/f16.wgsl', source: f16 },
  q8: { name: 'weights/q8.wgsl', source: q8 },
  q4: { name: 'weights/q4.wgsl', source: q4 },
};

export const cacheWriteFile: ShaderFile = { name: 'cache-write.wgsl', source: cacheWrite };

/** How attention reads the KV cache. */
export const cacheFile: Record<KvFormat, ShaderFile> = {
  f32: { name: 'cache/f32.wgsl', source: cacheF32 },
  f16: { name: 'cache/f16.wgsl', source: cacheF16 },
  q8: { name: 'cache/q8.wgsl', source: cacheQ8 },
};
