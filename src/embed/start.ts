import { NotStarted, startFirst } from '../host/start.ts';
import { startThreads } from '../host/start-threads.ts';
import { isPreBundled, type Located, locate, type Thread } from '../host/worker.ts';
import { errorJson, VitrineError } from '../plan/error.ts';
import { isNode } from '../plan/host.ts';
import { fetchVocabulary } from '../text/vocabulary.ts';
import type { Answer, Call, Wish, WishAnswer } from './protocol.ts';

/** Milliseconds after which an engine is given up that says nothing: its script may be long in coming. */
const SILENCE = 60_000;

const ownWorker =
  "Make a worker.js of one line, import 'vitrine/engine', start it as your bundler starts workers, and pass it: new EngineWorker(worker).";

/**
 * The package's own worker, once it answers.
 * @throws VitrineError `no-worker` where none may be started, `network` where its script does not load; the signal's reason
 */
export async function startEngine(signal: AbortSignal): Promise<Thread> {
  const script = locate({
    make: () => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }),
    file: './worker.ts',
    base: import.meta.url,
    own: 'start.ts',
  });
  if (typeof Worker === 'undefined' && !isNode()) {
    throw new VitrineError('no-worker', 'There are no workers here.', { hint: "Use `load` of 'vitrine' itself." });
  }
  return begin(script, signal);
}

/** A worker of the caller's, once it answers. */
export function greetEngine(worker: Thread, signal: AbortSignal): Promise<Thread> {
  return begin({ place: 'bundled', ways: [{ url: 'The worker that was passed', open: () => worker }] }, signal);
}

async function begin(script: Located, signal: AbortSignal): Promise<Thread> {
  try {
    return (await startFirst(script, (worker) => greet(worker, signal), { silence: SILENCE, signal })).thread;
  } catch (error) {
    throw error instanceof NotStarted ? explain(error, script) : error;
  }
}

/** Until it answers. What is posted to a worker waits for its script. */
function greet(worker: Thread, signal: AbortSignal): Promise<void> {
  const gone = new AbortController();
  const terminate = worker.terminate.bind(worker);
  // Its threads are the page's, and end with it; a caller may end a worker of its own by itself.
  worker.terminate = () => {
    gone.abort();
    return terminate();
  };
  const hear = (event: MessageEvent<(Wish & { port: MessagePort }) | undefined>) => {
    const { data } = event;
    if (data?.wants !== 'vocabulary' && data?.wants !== 'threads') return;
    event.stopImmediatePropagation?.(); // two engines of one worker hear both, and threads are started once
    void grant(data, data.port, gone.signal);
  };
  // A worker of the caller's may talk with the caller too.
  if (worker instanceof EventTarget) worker.addEventListener('message', hear as EventListener);
  else worker.onmessage = hear;
  const { port1: port, port2 } = new MessageChannel();
  signal.addEventListener('abort', () => port.close()); // an open one keeps Bun from ending
  return new Promise<void>((resolve) => {
    port.onmessage = ({ data }: MessageEvent<Answer<never, unknown>>) => {
      if ('result' in data) resolve();
    };
    const call: Call = { name: 'greet', args: [], port: port2 };
    worker.postMessage(call, [port2]);
  }).finally(() => port.close());
}

/** @param gone aborts when the worker that wishes is ended */
async function grant(wish: Wish, port: MessagePort, gone: AbortSignal): Promise<void> {
  const answer = (message: WishAnswer) => port.postMessage(message);
  try {
    if (wish.wants === 'vocabulary') return answer({ result: (await fetchVocabulary()).default });
    const end = await startThreads(wish.ways, wish.work);
    if (gone.aborted) return end();
    gone.addEventListener('abort', end);
    port.onmessage = () => {
      gone.removeEventListener('abort', end);
      end();
    };
    answer({ result: true });
  } catch (error) {
    answer({ failure: errorJson(error) });
  }
}

function explain(error: NotStarted, { place, url }: Located): VitrineError {
  const cause = error;
  if (error.refusals.some(({ forbidden }) => forbidden)) {
    const origin = url && URL.canParse(url) ? new URL(url).origin : 'null';
    const elsewhere = origin !== 'null' && origin !== globalThis.origin;
    const scripts = elsewhere ? ` and ${origin} to script-src` : '';
    const message = `The engine's script could not be started: ${error.message}.`;
    const hint = `Add to it: worker-src ${elsewhere ? 'blob:' : "'self' blob:"};${scripts} or use \`load\` of 'vitrine' itself.`;
    return new VitrineError('no-worker', message, { hint, cause });
  }
  const own = { hint: ownWorker, cause };
  if (url === undefined && error.refusals.length === 0)
    return new VitrineError('no-worker', "The engine's script has no address here.", own);
  if (url === undefined) return new VitrineError('network', `The engine's script did not load. ${error.message}.`, own);
  const message = `The engine's script did not load: ${error.message}.`;
  if (isPreBundled(import.meta.url)) {
    const hint =
      "Vite has bundled the package ahead of time: set optimizeDeps: { exclude: ['vitrine'] } in its config.";
    return new VitrineError('network', message, { hint, cause });
  }
  const hint =
    place === 'lost' ? `The bundler left it behind. ${ownWorker}` : 'Check that the file is served, and reload.';
  return new VitrineError('network', message, { hint, cause });
}
