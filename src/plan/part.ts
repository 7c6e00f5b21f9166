import { VitrineError, why } from './error.ts';

const provided = new Map<string, unknown>();

/** Makes a part known that was imported at once, for hosts that forbid `import()` (src/static.ts). `what`: as `part` calls it. */
export function provide(what: string, module: unknown): void {
  provided.set(what, module);
}

/**
 * A part of Vitrine that is a file of its own, so that only who needs it fetches it.
 * @param what begins the sentence "... could not be loaded"
 * @throws VitrineError `network`, in the platform's words, which name the file in most browsers
 */
export async function part<Module>(what: string, load: () => Promise<Module>): Promise<Module> {
  if (provided.has(what)) return provided.get(what) as Module;
  return load().catch((cause: unknown) => {
    const hint =
      "Try again, and see that every file of the package is served. Service workers import 'vitrine/static'.";
    throw new VitrineError('network', `${what} could not be loaded: ${why(cause)}.`, { hint, cause });
  });
}
