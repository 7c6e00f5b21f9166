// One visit of a host, and what is wrong with what came of it.
import { join } from 'node:path';
import { judge } from './visit.mjs';

export const models = join(import.meta.dirname, '../../public/models');

let expected;

/** What the prompt of check.js is continued with: the library's own word for it, in Node. */
export function expectedText(dist) {
  expected ??= (async () => {
    const { load } = await import(join(dist, 'vitrine.js'));
    const model = await load(join(models, 'tiny-tales/'), { device: 'cpu', dtype: 'f16' });
    return (await model.complete('Once upon a time', { maxNewTokens: 12 })).text;
  })();
  return expected;
}

/** One visit, judged; an error of the host itself is a problem like any other. */
export async function attempt(dist, wanted, act) {
  const start = Date.now();
  let found;
  let problems;
  try {
    found = await act();
    problems = judge(found, wanted, await expectedText(dist));
  } catch (error) {
    problems = [error.message];
  }
  const parts = Object.entries(found?.results ?? {}).map(([entry, { code, kind, threads }]) => {
    return `${entry}: ${code ?? `${kind}, ${threads} thread${threads > 1 ? 's' : ''}`}`;
  });
  return { visit: wanted.name, seconds: (Date.now() - start) / 1000, summary: parts.join('; '), problems };
}
