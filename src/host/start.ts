import { after, PATIENCE } from '../plan/patience.ts';
import { markupForbids } from './policy.ts';
import { type Located, openHere, type Thread, type Way } from './worker.ts';

const forbidden = "is forbidden by the page's Content-Security-Policy";

/** Why a worker did not start. */
export interface Refusal {
  url: string;
  why: string;
  /** The page's Content-Security-Policy does not allow it. */
  forbidden: boolean;
}

export interface Started {
  thread: Thread;
  /** That led to it. */
  way: Way;
}

/** No way led to a worker. */
export class NotStarted extends Error {
  readonly refusals: Refusal[];

  constructor(refusals: Refusal[]) {
    super(refusals.map(({ url, why }) => `${url} ${why}`).join('; ') || 'its script has no address here');
    this.refusals = refusals;
  }
}

/**
 * The first worker that begins. One that is silent is not given up when the next is started: its script may be on the way.
 * @param begin until the worker has been heard; it must not be handed anything that outlives it before
 * @param silence milliseconds that the last one may be silent
 * @throws NotStarted, or the signal's reason
 */
export async function startFirst(
  { ways }: Pick<Located, 'ways'>,
  begin: (worker: Thread) => Promise<unknown>,
  {
    silence = PATIENCE,
    patience = PATIENCE,
    signal,
  }: { silence?: number; patience?: number; signal?: AbortSignal } = {},
): Promise<Started> {
  const refusals: Refusal[] = [];
  const opened: Thread[] = [];
  let started: Started | undefined;
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  try {
    signal?.throwIfAborted();
    const begun: Promise<Started | undefined>[] = [];
    for (const [i, way] of ways.entries()) {
      const attempt = openWay(way, begin, refusals, opened);
      begun.push(attempt);
      const pause = after(i === ways.length - 1 ? silence : patience);
      // Any of them may begin; this one's failure, or its silence, is the next one's turn.
      const any = firstOf(begun);
      const turn = i === ways.length - 1 ? any : Promise.race([any, attempt]);
      started = await Promise.race([turn, pause.promise, aborted]).finally(pause.cancel);
      if (started) return started;
    }
    for (const [i, { url }] of ways.entries()) {
      if (!refusals.some((refusal) => refusal.url === url)) {
        const waited = (i === ways.length - 1 ? silence : patience) / 1000;
        refusals.push({ url, why: `has not answered for ${waited} s`, forbidden: false });
      }
    }
    throw new NotStarted(refusals);
  } finally {
    for (const worker of opened) if (worker !== started?.thread) worker.terminate();
  }
}

/** The worker once it has begun; undefined, with the reason noted, if it does not. */
async function openWay(
  way: Way,
  begin: (worker: Thread) => Promise<unknown>,
  refusals: Refusal[],
  opened: Thread[],
): Promise<Started | undefined> {
  const policy = listenForPolicy();
  try {
    if (markupForbids(way.url)) {
      refusals.push({ url: way.url, why: forbidden, forbidden: true });
      return undefined;
    }
    const thread = way.open?.() ?? openHere(way);
    opened.push(thread);
    await new Promise<unknown>((resolve, reject) => {
      thread.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message || 'did not load'));
      };
      begin(thread).then(resolve, reject);
    });
    return { thread, way };
  } catch (cause) {
    const violated = await policy.violated();
    const why = violated ? forbidden : cause instanceof Error ? cause.message : String(cause);
    refusals.push({ url: way.url, why, forbidden: violated });
    return undefined;
  } finally {
    policy.stop();
  }
}

/** The first of the attempts that has a worker; undefined when all have failed. */
async function firstOf(attempts: Promise<Started | undefined>[]): Promise<Started | undefined> {
  const successes = attempts.map(async (attempt) => (await attempt) ?? Promise.reject());
  return Promise.any(successes).catch(() => undefined);
}

/** Whether the page's policy has refused a worker since. */
function listenForPolicy() {
  let violated = false;
  const hear = (event: Event) => {
    const { effectiveDirective } = event as SecurityPolicyViolationEvent;
    violated ||= /^(worker|child)-src/.test(effectiveDirective);
  };
  globalThis.addEventListener?.('securitypolicyviolation', hear);
  return {
    async violated() {
      await after(0).promise; // browsers tell of it in a task of its own
      return violated;
    },
    stop: () => globalThis.removeEventListener?.('securitypolicyviolation', hear),
  };
}
