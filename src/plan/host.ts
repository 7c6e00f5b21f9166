/** Whether this is Node or the like, where a path is one on disk. Pages of Electron, and their workers, have `process` too. */
export function isNode(): boolean {
  const { process, document } = globalThis as {
    process?: { versions?: { node?: string }; type?: string };
    document?: unknown;
  };
  const inPage = document !== undefined || ['renderer', 'worker', 'service-worker'].includes(process?.type ?? '');
  return process?.versions?.node !== undefined && !inPage;
}
