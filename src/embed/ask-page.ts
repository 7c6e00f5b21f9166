import type { StartThreads } from '../host/threads.ts';
import { errorOf } from '../plan/error.ts';
import type { Wish, WishAnswer } from './protocol.ts';

/** The page, or in Node, Deno and Bun the thread that started this one. */
const caller = (globalThis.process?.getBuiltinModule?.('node:worker_threads').parentPort ??
  globalThis) as unknown as Pick<MessagePort, 'postMessage'>;

/** What the page answers a wish, and the port on which it does, which is closed where it fails. */
export function askPage(wish: Wish): Promise<{ result: unknown; port: MessagePort }> {
  const { port1: port, port2 } = new MessageChannel();
  return new Promise((resolve, reject) => {
    port.onmessage = ({ data }: MessageEvent<WishAnswer>) => {
      if ('result' in data) return resolve({ result: data.result, port });
      port.close();
      reject(errorOf(data.failure));
    };
    caller.postMessage({ ...wish, port: port2 }, [port2]);
  });
}

/** Threads that the page starts, where a worker may not come back from doing so (docs/wasm.md). */
export const askThreads: StartThreads = async (ways, work) => {
  const { port } = await askPage({ wants: 'threads', ways, work });
  return () => {
    port.postMessage('end');
    port.close();
  };
};
