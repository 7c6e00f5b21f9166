/// <reference lib="webworker" />
import type { Call } from './protocol.ts';

/**
 * The worker's entry: hears the calls that calls.ts answers. It shares nothing with other modules, because bundlers let the
 * chunks import what is shared from the entry, and WebKit then runs a worker's entry a second time.
 */
const calls = import('./calls.ts');
// An error event, which tells the page that the script did not load; a rejection would stay in here.
calls.catch((error) =>
  setTimeout(() => {
    throw error;
  }),
);

/** Where calls come from: the page, or in Node, Deno and Bun the thread that started this one. */
const caller = (globalThis.process?.getBuiltinModule?.('node:worker_threads').parentPort ??
  globalThis) as unknown as Pick<MessagePort, 'onmessage'>;

caller.onmessage = async ({ data }: MessageEvent<Call | undefined>) => {
  if (data?.port) await (await calls).answerCall(data); // bundlers talk to workers too
};
