import type { Backend } from '../plan/backend.ts';
import type { AddedWeight, Plan } from '../plan/plan.ts';

type Added = readonly AddedWeight[];

/** What adapters add to plans: on a backend as long as somebody holds such a plan. */
export class AddedWeights {
  /** How many hold each. */
  readonly #holders = new Map<Added, number>();
  readonly #on = new WeakMap<Backend, Map<Added, Promise<void>>>();

  /** Plans with the adapters that were on last, the one that is on first; none once the base is run without. */
  recent: readonly Plan[] = [];

  /** Puts a plan first; gives those that are not kept any more. */
  keep(plan: Plan): Plan[] {
    const before = this.recent;
    this.recent = plan.added ? recentOf([plan, ...before.filter((one) => one !== plan)]) : [];
    return before.filter((one) => !this.recent.includes(one));
  }

  hold({ added }: Plan): void {
    if (added) this.#holders.set(added, (this.#holders.get(added) ?? 0) + 1);
  }

  /** @param backend where it may be */
  release({ added }: Plan, backend: Backend): void {
    if (!added) return;
    const left = (this.#holders.get(added) ?? 0) - 1;
    if (left > 0) return void this.#holders.set(added, left);
    this.#holders.delete(added);
    const coming = this.#on.get(backend)?.get(added);
    this.#on.get(backend)?.delete(added);
    const free = () => backend.removeWeights(namesOf(added));
    // What is still on its way is freed when it is there.
    coming?.then(free, free);
  }

  bring({ added }: Plan, backend: Backend): Promise<void> {
    if (!added) return Promise.resolve();
    const here = this.#on.get(backend) ?? new Map<Added, Promise<void>>();
    this.#on.set(backend, here);
    const known = here.get(added);
    if (known) return known;
    const coming = send(added, backend);
    here.set(added, coming);
    coming.catch(() => {
      if (here.get(added) === coming) here.delete(added); // there may be room later
    });
    return coming;
  }
}

/** Adapters that are kept at hand, so that who goes back to one waits for nothing: at most so many, and of so many bytes together. */
const mostRecent = 4;
const mostRecentBytes = 2 ** 26;

/** Of plans, the last used first, those that are kept. */
function recentOf(plans: readonly Plan[]): Plan[] {
  let bytes = 0;
  return plans.slice(0, mostRecent).filter(({ added = [] }, i) => {
    bytes += added.reduce((sum, { values }) => sum + values.byteLength, 0);
    return i === 0 || bytes <= mostRecentBytes;
  });
}

const namesOf = (added: Added) => added.map(({ spec }) => spec.name);

/** All at once: on a GPU each waits for the device. */
async function send(added: Added, backend: Backend): Promise<void> {
  async function* whole(values: Float32Array) {
    yield values;
  }
  const sent = await Promise.allSettled(added.map(({ spec, values }) => backend.addWeight(spec, 'f32', whole(values))));
  const failed = sent.find((one) => one.status === 'rejected');
  if (!failed) return;
  backend.removeWeights(namesOf(added)); // of what has no room as a whole no part stays
  throw failed.reason;
}
