import type { WeightFormat, WeightRows } from './backend.ts';
import { packRows } from './formats.ts';
import { part } from './part.ts';

let packer: typeof packRows | undefined;

/** What packs rows in a format: in WebAssembly where there is something to compute, with results that last until its next call. */
export async function packerFor(format: WeightFormat, rows: WeightRows): Promise<typeof packRows> {
  if (format === 'f32' || !(rows instanceof Float32Array)) return packRows; // nothing is computed
  packer ??= await (await part('What packs weights', () => import('./pack.ts'))).openPacker();
  return packer;
}
