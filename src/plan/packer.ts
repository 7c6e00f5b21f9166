import type { WeightFormat } from './backend.ts';
import { packRows } from './formats.ts';
import { part } from './part.ts';

/** What packs rows in a format: in WebAssembly where there is something to compute, with results that last until its next call. */
export async function packerFor(format: WeightFormat): Promise<typeof packRows> {
  if (format === 'f32') return packRows;
  const { openPacker } = await part('What packs weights', () => import('./pack.ts'));
  return openPacker();
}
