import { badOption } from '../plan/error.ts';
import { isNode } from '../plan/host.ts';

/** A source that is text, or a URL of any realm, as text. */
export function textOf(source: unknown): string | undefined {
  if (typeof source === 'string') return source;
  return Object.prototype.toString.call(source) === '[object URL]' ? String(source) : undefined;
}

/** Begins as a path does, rather than of a hub id or a URL. */
const isPath = (text: string): boolean => /^(\.{1,2}$|\.{0,2}\/|[a-z]:[\\/])/i.test(text);

/**
 * A path as a whole address: from the page, its `<base>` included, or from the worker. What is no path, or one on disk,
 * stays as it is.
 * @throws VitrineError `bad-option` where there is nothing to begin from
 */
export function addressOf(path: string): string {
  if (isNode() || !isPath(path)) return path;
  const here = globalThis.document?.baseURI ?? globalThis.location?.href;
  const { origin } = globalThis as { origin?: string };
  // A page or worker that was made from a blob has no folder, but it has a server.
  const base = path.startsWith('/') && !URL.canParse(path, here) ? origin : here;
  if (URL.canParse(path, base)) return new URL(path, base).href;
  throw badOption(`The path ${path} has no meaning at the address ${here}.`, 'Pass a whole URL.');
}
