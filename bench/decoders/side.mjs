// One peer of a row, wherever it runs: answers calls, and times what it runs.

/**
 * What answers `open`, `run` and `close` of a job: `{ adapter, source, device, weights, threads }`.
 * @param busyMs tells how long processors have worked for the side so far; undefined where the system does not say
 */
export function side(busyMs) {
  let peer;
  return {
    async open(job) {
      if (typeof document !== 'undefined' || typeof WorkerGlobalScope !== 'undefined') {
        // Peers ask how many threads the machine has.
        Object.defineProperty(navigator, 'hardwareConcurrency', { value: job.threads, configurable: true });
      }
      const { open } = await import(`../adapters/${job.adapter}.mjs`);
      peer = await open(job);
      return peer.about;
    },
    /** Milliseconds to the first token, and of each that follows, by the clock and of the processors; the tokens. */
    async run(prompt, count) {
      const times = [];
      const tokens = [];
      const before = await busyMs();
      let first;
      const begun = performance.now();
      const made = await peer.generate(prompt, count, (token) => {
        times.push(performance.now());
        first ??= busyMs();
        tokens.push(token);
      });
      const after = await busyMs();
      if (made !== count) throw new Error(`made ${made} tokens; expected ${count}.`);
      const each = (ms) => (count > 1 ? ms / (count - 1) : undefined);
      return {
        tokens,
        toFirst: { ms: times[0] - begun, busy: (await first) - before },
        perToken: { ms: each(times.at(-1) - times[0]), busy: each(after - (await first)) },
      };
    },
    close: () => peer?.close(),
  };
}

/** Answers messages `{ id, call, args }` with `{ id, result }` or `{ id, error }`. */
export async function answer(calls, { id, call, args }, reply) {
  try {
    reply({ id, result: await calls[call](...args) });
  } catch (error) {
    reply({ id, error: String(error?.stack ?? error) });
  }
}
