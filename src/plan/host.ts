const { process } = globalThis; // by its bare name, bundlers put a package of theirs in its place

/** Whether this is Node or the like, where a path is one on disk. Pages of Electron, and their workers, have `process` too. */
export function isNode(): boolean {
  const { process, document } = globalThis as {
    process?: { versions?: { node?: string }; type?: string };
    document?: unknown;
  };
  const inPage = document !== undefined || ['renderer', 'worker', 'service-worker'].includes(process?.type ?? '');
  return process?.versions?.node !== undefined && !inPage;
}

/** In Node `$VITRINE_CACHE`, or `vitrine` in the user's folder of caches. */
export function cacheFolder(): string {
  const { VITRINE_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const { join } = process.getBuiltinModule('node:path');
  const caches = XDG_CACHE_HOME || LOCALAPPDATA || join(process.getBuiltinModule('node:os').homedir(), '.cache');
  return VITRINE_CACHE || join(caches, 'vitrine');
}
