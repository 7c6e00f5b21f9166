import type { Source } from '../../load/source.ts';
import { badOption } from '../../plan/error.ts';
import { type Check, checkObject, checkOptions, integer, oneOf, quote } from '../check.ts';
import type { LoadOptions } from '../loading.ts';

/** A task of transformers.js: what loads its models, and what a call does. */
export interface Task<Model extends Disposable> {
  load(source: Source, options: LoadOptions): Promise<Model>;
  /** @throws VitrineError `bad-option` for a model that was not trained for it */
  suits?(model: Model): void;
  call(model: Model, args: readonly unknown[]): Promise<unknown>;
}

export type Settings = Record<string, unknown>;

/** Python's names of options as JavaScript's: `top_k` is `topK`. Null stays null. */
export function readSettings(task: string, options: unknown = {}, checks: Readonly<Record<string, Check>>): Settings {
  const settings: Settings = {};
  if (options !== null) checkObject(`The pipeline ${task}`, options);
  for (const [name, value] of Object.entries((options ?? {}) as object)) {
    const own = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (Object.hasOwn(settings, own)) throw badOption(`${task} got ${own} twice, as ${quote(name)} too.`);
    settings[own] = value;
  }
  checkOptions(`The pipeline ${task}`, settings, checks);
  return settings;
}

/** A check that null passes too, as Python has it for what is not set. */
export const orNull = ({ expects, accepts }: Check): Check => ({
  expects: `${expects}, or null`,
  accepts: (value) => value === null || accepts(value),
});

/** Of what sorts inputs into classes. */
export const classSettings = { topK: orNull(integer(1)), functionToApply: orNull(oneOf('softmax', 'sigmoid', 'none')) };

/** One input or a list of them: what is done with all, and the answer in the same form. */
export async function each<In, Out>(
  input: In | readonly In[],
  all: (inputs: In[]) => Promise<Out[]>,
): Promise<Out | Out[]> {
  if (Array.isArray(input)) return all([...(input as readonly In[])]);
  const [only] = await all([input as In]);
  return only!;
}
