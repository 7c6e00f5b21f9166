import { errorOf } from '../plan/error.ts';
import type { fetchVocabulary as fromFile } from '../text/vocabulary.ts';
import type { Wish, WishAnswer } from './protocol.ts';

type Table = Awaited<ReturnType<typeof fromFile>>['default'];

/** The page, or in Node, Deno and Bun the thread that started this one. */
const caller = (globalThis.process?.getBuiltinModule?.('node:worker_threads').parentPort ??
  globalThis) as unknown as Pick<MessagePort, 'postMessage'>;

/** The table of GPT-2's vocabulary, from the page: only its bundle has parts that are fetched when they are needed. */
export function fetchVocabulary(): Promise<{ default: Table }> {
  const { port1: port, port2 } = new MessageChannel();
  return new Promise<{ default: Table }>((resolve, reject) => {
    port.onmessage = ({ data }: MessageEvent<WishAnswer>) =>
      'failure' in data ? reject(errorOf(data.failure)) : resolve({ default: data.table as Table });
    const wish: Wish = { wants: 'vocabulary', port: port2 };
    caller.postMessage(wish, [port2]);
  }).finally(() => port.close());
}
