import { VitrineError } from '../plan/error.ts';

/** The file is not the one that was begun: what was read of it and what is still to be read do not belong together. */
export class Changed extends VitrineError {
  constructor(file: string) {
    super('network', `${file} changed while it was read.`, { hint: 'It is being replaced; load it again.' });
  }
}

/** What tells one version of a file from another, each as far as it is known. */
export interface Version {
  etag?: string | undefined;
  /** When it was last changed, as whoever has it writes that. */
  modified?: string | undefined;
  /** Bytes of the whole. */
  size?: number | undefined;
  /** Who gave it these names, where another would give others: a server, an encoding. */
  namer?: string | undefined;
}

/** The versions of files as they were first seen. */
export class Versions {
  readonly #seen = new Map<string, Version>();

  /** @throws Changed if it is another than the one seen before. `shown`: the file's name in the message */
  check(file: string, now: Version, shown: string): void {
    const before = this.#seen.get(file);
    if (before && isOther(before, now)) throw new Changed(shown);
    const known = Object.entries(now).filter(([, value]) => value !== undefined);
    this.#seen.set(file, { ...Object.fromEntries(known), ...before });
  }

  /** Whatever comes next is the version. */
  forget(file: string): void {
    this.#seen.delete(file);
  }
}

/** An ETag says more than a date, which is in seconds, and may be another on each of several servers. */
function isOther(before: Version, now: Version): boolean {
  const differs = (name: 'etag' | 'modified' | 'size') =>
    before[name] !== undefined && now[name] !== undefined && before[name] !== now[name];
  if (differs('size')) return true;
  if (before.namer !== now.namer) return false;
  return before.etag !== undefined && now.etag !== undefined ? differs('etag') : differs('modified');
}
