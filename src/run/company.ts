import { part } from '../plan/part.ts';
import { newTask } from '../plan/task.ts';
import type { Engine } from './engine.ts';
import type { Settings } from './options.ts';
import type { SharedRuns } from './side-by-side.ts';
import type { Generation, Lane } from './work.ts';

/** Whether a text can share its runs with others: it is one sequence, without a plan, drafts, a source or a window of its own. */
export const sharesRuns = ({ source, settings }: { source?: unknown; settings: Settings }): boolean =>
  !source &&
  settings.numBeams === 1 &&
  settings.numReturnSequences === 1 &&
  !settings.speculate &&
  settings.edits.length === 0 &&
  settings.onContextFull === 'stop';

/** The most ids that a text comes to. */
export const lengthOf = ({ engine, prompt, settings }: Pick<Generation, 'engine' | 'prompt' | 'settings'>): number =>
  Math.min(engine.context, prompt.length + settings.maxNewTokens);

/** The calls under way on an engine that can share runs, and the runs that they share where there are several. */
export class Company {
  static readonly #of = new WeakMap<Engine, Company>();
  readonly #engine: Engine;
  readonly #calls = new Set<Generation>();
  #runs: SharedRuns | undefined;
  /** There is no memory for several texts at once. */
  #isSeparate = false;

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  static of(engine: Engine): Company {
    const company = Company.#of.get(engine) ?? new Company(engine);
    Company.#of.set(engine, company);
    return company;
  }

  /** A call begins; after a moment it is known whether others begin with it. */
  async enter(call: Generation): Promise<void> {
    this.#calls.add(call);
    await newTask();
  }

  leave(call: Generation): void {
    this.#calls.delete(call);
    this.#isSeparate &&= this.#calls.size > 0;
  }

  /** From now on each is by itself, until all have left. */
  separate(): void {
    this.#isSeparate = true;
  }

  get isAlone(): boolean {
    return this.#calls.size < 2;
  }

  /** Whether a text of so many ids is better off with the others. */
  takes(text: number): boolean {
    if (this.isAlone || this.#isSeparate) return false;
    return this.#runs ? this.#runs.plan === this.#engine.plan && this.#runs.takes(text) : true;
  }

  /** A place among the others; undefined where there is none. */
  async join(call: Generation): Promise<Lane | undefined> {
    const text = lengthOf(call);
    if (!this.takes(text)) return undefined;
    const { SharedRuns } = await part('What writes side by side', () => import('./side-by-side.ts'));
    if (!this.takes(text)) return undefined;
    this.#runs ??= SharedRuns.open(this.#engine, Math.max(8, this.#calls.size), this.#longest(), () => {
      this.#runs = undefined;
    });
    this.#isSeparate = !this.#runs;
    return this.#runs?.takes(text) ? this.#runs.join(call.settings.signal) : undefined;
  }

  #longest(): number {
    return Math.max(...[...this.#calls].map(lengthOf));
  }
}
