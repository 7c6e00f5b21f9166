// Peak memory and processor time of all that a process started, as Linux counts them.
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

function descendantsOf(ancestor) {
  const parentOf = parents();
  const descends = (id) => id === ancestor || (parentOf.has(id) && descends(parentOf.get(id)));
  return [...parentOf.keys()].filter((id) => id !== ancestor && descends(id));
}

/**
 * Sum of the largest resident sizes (VmHWM) of the descendants of process `ancestor`, in bytes; undefined where the
 * system does not tell. Memory that processes share counts once for each.
 */
export function peakBytes(ancestor) {
  const kilobytes = (id) => Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${id}/status`))?.[1] ?? 0);
  return descendantsOf(ancestor).reduce((total, id) => total + 1024 * kilobytes(id), 0) || undefined;
}

/**
 * Milliseconds that the threads of the descendants of process `ancestor` have run for; undefined where the system does not tell.
 * What else runs on the machine hardly moves it.
 */
export function busyMs(ancestor) {
  const ofThread = (path) => Number(read(`${path}/schedstat`).split(' ')[0]) / 1e6;
  const threadsOf = (id) => {
    try {
      return readdirSync(`/proc/${id}/task`).map((thread) => `/proc/${id}/task/${thread}`);
    } catch {
      return []; // it has ended
    }
  };
  return (
    descendantsOf(ancestor)
      .flatMap(threadsOf)
      .reduce((total, path) => total + ofThread(path), 0) || undefined
  );
}
