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
 * @param of whose static imports these are, a path from the root as `/src/index.ts`; it stays in a file of its own
 * @param without what brings those that are left out, since it is fetched without the rest
 */
export function together(name: string, of: string, without: readonly string[] = []): Rolldown.CodeSplittingGroup {
  /** Of each build: a worker's is one by itself. */
  const found = new WeakMap<Context, { taken: ReadonlySet<string>; others: ReadonlySet<string>[] }>();
  return {
    name(id, context) {
      if (!id.includes('/src/')) return null;
      const root = id.slice(0, id.indexOf('/src/'));
      const brought = (path: string) => broughtBy(root + path, context);
      const { taken, others } = found.get(context) ?? { taken: brought(of), others: without.map(brought) };
      found.set(context, { taken, others });
      return taken.has(id) && !id.endsWith(of) && !others.some((brought) => brought.has(id)) ? name : null;
    },
    includeDependenciesRecursively: false,
  };
}
