import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** When a file, or whatever of a folder changed last, changed: milliseconds since 1970, 0 where there is nothing. */
export function newest(path, without = /^node_modules$/) {
  const info = statSync(path, { throwIfNoEntry: false });
  if (!info) return 0;
  if (!info.isDirectory()) return info.mtimeMs;
  const names = readdirSync(path).filter((name) => !without.test(name));
  return Math.max(info.mtimeMs, ...names.map((name) => newest(join(path, name), without)));
}
