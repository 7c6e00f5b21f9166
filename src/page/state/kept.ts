import type { Document, History } from './document.ts';

/** What a reload or a restored tab brings back: the present document and the one before it, in this tab's own storage. */

const key = 'vitrine-document';

export function keep({ documents, at }: History): void {
  const last = documents.slice(Math.max(0, at - 1), at + 1);
  try {
    sessionStorage.setItem(key, JSON.stringify({ documents: last, at: last.length - 1 }));
  } catch {
    // storage is closed to this page, or full: a reload begins anew
  }
}

/** Undefined where there is none, or none that this page can read. */
export function kept(): History | undefined {
  try {
    const found = JSON.parse(sessionStorage.getItem(key) ?? 'null') as History | null;
    return found?.documents.length && found.documents.every(isDocument) && found.documents[found.at]
      ? found
      : undefined;
  } catch {
    return undefined;
  }
}

/** Another build of the page may have written it. */
function isDocument({ branches, shown }: Document): boolean {
  const isBranch = ({ id, at, manuscript }: Document['branches'][number]) =>
    typeof id === 'number' && typeof at === 'number' && manuscript.every(({ text }) => typeof text === 'string');
  return branches.every(isBranch) && branches.some(({ id }) => id === shown);
}
