import { join } from 'node:path';
import type { Rolldown } from 'vite';

type Naming = Extract<Rolldown.CodeSplittingGroup['name'], (...args: never[]) => unknown>;
type Context = Parameters<Naming>[1];

/** The modules that a module's static imports bring, itself too. */
function broughtBy(root: string, context: Context): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (one: string) => {
    if (found.has(one)) return;
    found.add(one);
    for (const next of context.getModuleInfo(one)?.importedIds ?? []) visit(next);
  };
  visit(root);
  return found;
}

/**
 * What is fetched together anyway as one file, which compresses a fifth better than the forty that bundlers make of it where other
 * parts need some of its modules too.
 * @param of lists of modules, by paths from the root as `/src/index.ts`: taken is what all modules of a list bring by static imports
 * @param without modules that stay in files of their own, as entries do
 */
export function together(
  name: string,
  of: readonly (readonly string[])[],
  without: readonly string[] = [],
): Rolldown.CodeSplittingGroup {
  /** Of each build: a worker's is one by itself. */
  const found = new WeakMap<Context, ReadonlySet<string>>();
  const takenIn = (root: string, context: Context) => {
    const brought = (path: string) => broughtBy(root + path, context);
    const all = of.flatMap(([first, ...rest]) => {
      const others = rest.map(brought);
      return [...brought(first!)].filter((id) => others.every((other) => other.has(id)));
    });
    return new Set(all.filter((id) => !without.some((path) => id === root + path)));
  };
  return {
    name(id, context) {
      const taken = found.get(context) ?? takenIn(join(import.meta.dirname, '..'), context);
      found.set(context, taken);
      return taken.has(id) ? name : null;
    },
    includeDependenciesRecursively: false,
  };
}
