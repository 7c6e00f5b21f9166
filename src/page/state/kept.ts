import type { Document, History } from './document.ts';

/** What a reload or a restored tab brings back, in this tab's own storage: it gets into no history that a browser sends elsewhere. */

type Kept = 'document' | 'room' | 'conversation';

export function store(what: Kept, value: unknown): void {
  try {
    sessionStorage.setItem(`vitrine-${what}`, JSON.stringify(value));
  } catch {
    // storage is closed to this page, or full: a reload begins anew
  }
}

/** As `store` left it, or another build of the page; undefined where there is none, or none that `is` what is looked for. */
export function stored<T>(what: Kept, is: (found: T) => boolean): T | undefined {
  try {
    const found = JSON.parse(sessionStorage.getItem(`vitrine-${what}`) ?? 'null') as T | null;
    return found && is(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** A choice that every tab of this browser remembers; undefined: the default, which is none. */
export function remember(what: 'theme' | 'ghost', choice: string | undefined): void {
  try {
    if (choice === undefined) localStorage.removeItem(`vitrine-${what}`);
    else localStorage.setItem(`vitrine-${what}`, choice);
  } catch {
    // storage is closed to this page: the choice lasts until it is left
  }
}

export function remembered(what: 'theme' | 'ghost'): string | undefined {
  try {
    return localStorage.getItem(`vitrine-${what}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The present document and the one before it. */
export function keep({ documents, at }: History): void {
  const last = documents.slice(Math.max(0, at - 1), at + 1);
  store('document', { documents: last, at: last.length - 1 });
}

export function kept(): History | undefined {
  const isHistory = ({ documents, at }: History) => documents.every(isDocument) && documents[at] !== undefined;
  return stored('document', isHistory);
}

function isDocument({ branches, shown, run }: Document): boolean {
  const isBranch = ({ id, at, manuscript }: Document['branches'][number]) =>
    typeof id === 'number' && typeof at === 'number' && manuscript.every(({ text }) => typeof text === 'string');
  const isRun = !run || Array.isArray(run.edits);
  return isRun && branches.every(isBranch) && branches.some(({ id }) => id === shown);
}
