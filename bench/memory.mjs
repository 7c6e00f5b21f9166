// Peak memory of a process and all it started, as Linux counts it.
import { readdirSync, readFileSync } from 'node:fs';

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended, or this is not Linux
  }
};

/** Process id -> its parent's. */
function parents() {
  const ids = process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  return new Map(ids.map((id) => [Number(id), Number(/\) \S (\d+)/.exec(read(`/proc/${id}/stat`))?.[1])]));
}

/**
 * Sum of the largest resident sizes (VmHWM) of the descendants of process `ancestor`, in bytes; undefined where the
 * system does not tell. Memory that processes share counts once for each.
 */
export function peakBytes(ancestor) {
  const parentOf = parents();
  const descends = (id) => id === ancestor || (parentOf.has(id) && descends(parentOf.get(id)));
  let total = 0;
  for (const id of parentOf.keys()) {
    if (id === ancestor || !descends(id)) continue;
    total += 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${id}/status`))?.[1] ?? 0);
  }
  return total || undefined;
}
