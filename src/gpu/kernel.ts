import type { WeightFormat } from '../plan/backend.ts';
import { isScaled } from '../plan/formats.ts';
import type { AxisSizes, KeySource } from '../plan/plan.ts';
import type { GpuTensor } from './place.ts';

/** Sizes of one run, which decide how many workgroups a kernel needs. */
export interface RunSizes extends AxisSizes {
  /** Whether attention may take rows in tiles (see `areTiles` in program.ts): over keys of the text itself, and over those of the memory. */
  tiles: { context: boolean; source: boolean };
}

/** One dispatch in the making: files of shaders/ put one behind the other, override constants, buffers, workgroups. */
export interface Kernel {
  files: readonly string[];
  constants: Record<string, number>;
  /** By binding number; undefined where the weight format has no scales. */
  bindings: Record<number, GPUBuffer | GPUBufferBinding | undefined>;
  workgroups(sizes: RunSizes): [x: number, y?: number, z?: number];
}

/** What `find` finds by a name, where there is one. */
export const optional = <T>(name: string | undefined, find: (name: string) => T): T | undefined =>
  name === undefined ? undefined : find(name);

/** A boolean constant. */
export const flag = (condition: unknown): 0 | 1 => (condition ? 1 : 0);

/** Constants of batch.wgsl: which keys a kernel is about. */
export const keyConstants = ({ axis }: Pick<KeySource, 'axis'>) => ({ MEMORY: flag(axis === 'source') });

/** Constants of batch.wgsl: which rows a kernel makes. */
export const rowConstants = ({ axis }: GpuTensor) => ({ LOGIT_ROWS: flag(axis === 'logitRows') });

/** The files that read a format's weights. */
export const weightFiles = (format: WeightFormat): string[] => [
  isScaled(format) ? 'weights/scales.wgsl' : 'weights/unscaled.wgsl',
  `weights/${format}.wgsl`,
];

export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);
