import { VitrineError, why } from './error.ts';

/**
 * A part of Vitrine that is a file of its own, so that only who needs it fetches it.
 * @param what begins the sentence "... could not be loaded"
 * @throws VitrineError `network`, in the platform's words, which name the file in most browsers
 */
export function part<Module>(what: string, module: Promise<Module>): Promise<Module> {
  return module.catch((cause: unknown) => {
    const hint = 'Try again, and see that every file of the package is served.';
    throw new VitrineError('network', `${what} could not be loaded: ${why(cause)}.`, { hint, cause });
  });
}
