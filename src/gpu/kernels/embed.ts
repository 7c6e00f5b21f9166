import embedSource from '../../../shaders/embed.wgsl?raw';
import embeddingSource from '../../../shaders/embedding.wgsl?raw';
import { ceilDiv, type GpuTensor, type Kernel, type Scene } from '../kernel.ts';
import type { GpuWeight, WeightPart } from '../weights.ts';
import { batchFile, formatFile } from './files.ts';

/** One dispatch for each part of the table. */
export function embed(scene: Scene, table: GpuWeight, by: 'token' | 'position', output: GpuTensor): Kernel[] {
  return table.parts.map((part) => ({
    files: [batchFile, formatFile[table.format], { name: 'embed.wgsl', source: embedSource }],
    constants: { ...tableConstants(table, part), BY_POSITION: by === 'position' ? 1 : 0 },
    bindings: { ...tableBindings(scene, part), 3: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(table.stride / 16, 64), rows],
  }));
}

/** Token and position embedding together; `positions` is f32 and in one part. */
export function embedding(scene: Scene, table: GpuWeight, positions: GpuWeight, output: GpuTensor): Kernel[] {
  return table.parts.map((part) => ({
    files: [batchFile, formatFile[table.format], { name: 'embedding.wgsl', source: embeddingSource }],
    constants: tableConstants(table, part),
    bindings: { ...tableBindings(scene, part), 3: positions.parts[0]!.values, 4: output.buffer },
    workgroups: ({ rows }) => [ceilDiv(table.stride / 16, 64), rows],
  }));
}

const tableConstants = (table: GpuWeight, part: WeightPart) => ({
  ROW_UNITS: table.stride / 16,
  FIRST: part.first,
  COUNT: part.rows,
});

const tableBindings = (scene: Scene, part: WeightPart) => ({
  0: scene.batch,
  1: part.values,
  2: part.scales,
});
