import { isNode } from '../plan/host.ts';

/** How a worker is started whatever has become of its file: bundled, beside this one, on another origin, or out of reach. */

/** What is used of a worker, a browser's or Node's. */
export interface Thread {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  terminate(): unknown;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  /** Lets Node end without waiting for it. */
  unref?(): void;
}

/** A worker's script as this package names it. */
export interface Script {
  /** The literal expression that bundlers look for: `new Worker(new URL('./x.js', import.meta.url), { type: 'module' })`. */
  make: () => Worker;
  /** The file in that expression. */
  file: string;
  /** `import.meta.url` of the module that has the expression, and the name of its file as the package was built. */
  base: string | undefined;
  own: string;
  /** The script itself, where it is short enough to be carried along. */
  source?: string;
}

/** One way to start it. Those of `locate` are plain data, so that another thread can go them. */
export interface Way {
  /** Its address, or `blob:`. */
  url: string;
  options?: WorkerOptions | undefined;
  /** The script itself, where it has no address. */
  text?: string;
  /** Gives the worker, where somebody has it already. */
  open?(): Thread;
}

/**
 * Where the script is. `bundled`: a bundler knows it. `beside`: the package's files lie as they were built. `lost`: a
 * bundler moved the module that asks for it, and left the script behind.
 */
export type Place = 'bundled' | 'beside' | 'lost';

export interface Located {
  place: Place;
  url?: string;
  /** Best first. */
  ways: Way[];
}

const node = isNode() ? globalThis.process : undefined;

/** Where the script is, and how to start it from there. */
export function locate(script: Script): Located {
  const found = addressOf(script.make);
  const { source, base, file, own } = script;
  const unchanged = URL.canParse(file, base) && found?.url === new URL(file, base).href;
  const place = found && !unchanged ? 'bundled' : found && standsAsBuilt(base!, own) ? 'beside' : 'lost';
  const inlined: Way[] = source === undefined ? [] : [{ url: 'blob:', text: source }];
  if (!found) return { place, ways: inlined };
  const { url, options } = found;
  const fromFile: Way = { url, options };
  if (node) return { place, url, ways: place === 'lost' ? [...inlined, fromFile] : [fromFile, ...inlined] };
  const importing = source === undefined ? [blobWay(url, options)] : inlined;
  if (!sameOrigin(url)) return { place, url, ways: importing };
  // A file that is not there, and a blob that is not allowed, are told on the console: what is likely comes first.
  if (place === 'lost') return { place, url, ways: source === undefined ? [fromFile] : [...inlined, fromFile] };
  return { place, url, ways: [fromFile, ...importing] };
}

/** What `make` would start: only the bundler knows the address, so `make` runs with a constructor that takes it down. */
function addressOf(make: () => Worker): { url: string; options?: WorkerOptions } | undefined {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
  let found: { url: string; options?: WorkerOptions } | undefined;
  const value = function Worker(url: string | URL, options?: WorkerOptions) {
    const base = globalThis.document?.baseURI ?? globalThis.location?.href;
    found = { url: URL.canParse(url, base) ? new URL(url, base).href : String(url), options };
  };
  try {
    Object.defineProperty(globalThis, 'Worker', { configurable: true, writable: true, value });
    make();
  } catch {
    // Bundled into a classic script, the module has no address.
  } finally {
    if (own) Object.defineProperty(globalThis, 'Worker', own);
    else Reflect.deleteProperty(globalThis, 'Worker');
  }
  return found;
}

/** Vite keeps the names of what it bundles ahead of time for its own server. */
function standsAsBuilt(base: string, own: string): boolean {
  const path = base.replace(/[?#].*$/, '');
  return path.endsWith(`/${own}`) && !isPreBundled(base);
}

export function isPreBundled(base: string | undefined): boolean {
  return /\/\.vite[^/]*\/deps/.test(base ?? '');
}

/** Workers start only from the page's own origin; a sandboxed frame has none, and neither has a file. */
function sameOrigin(url: string): boolean {
  if (url.startsWith('data:')) return true; // anybody's
  const { origin } = globalThis;
  return origin !== 'null' && URL.canParse(url) && new URL(url).origin === origin;
}

/** Starts a worker in that way, on this thread. */
export function openHere({ url, options, text }: Way): Thread {
  if (node) return nodeThread(text ?? new URL(url), { execArgv: [], eval: text !== undefined });
  const { Worker: Constructor } = globalThis; // by another name: bundlers would ask what `url` is
  if (text === undefined) return new Constructor(url, options);
  const blob = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const worker = new Constructor(blob);
  const terminate = worker.terminate.bind(worker);
  // An address that goes away too early is an address that does not load.
  worker.terminate = () => {
    URL.revokeObjectURL(blob);
    terminate();
  };
  return worker;
}

/**
 * A script of this origin that imports the real one, and keeps what it hears meanwhile. It is no module itself: a frame without
 * an origin may not start one.
 */
function blobWay(url: string, options?: WorkerOptions): Way {
  const quoted = JSON.stringify(url);
  const importing = `const early = [];
onmessage = (event) => early.push(event);
import(${quoted}).then(
  () => early.forEach((event) => onmessage(event)),
  (error) => setTimeout(() => { throw error; }),
);`;
  const text = options?.type === 'module' ? importing : `importScripts(${quoted});`;
  return { url: 'blob:', text };
}

/** Node's worker with a browser's face. */
function nodeThread(script: URL | string, options: object): Thread {
  const worker = new (node!.getBuiltinModule('node:worker_threads').Worker)(script, options);
  const thread: Thread = {
    postMessage: (message, transfer) => worker.postMessage(message, transfer as never),
    terminate: () => worker.terminate(),
    onmessage: null,
    onerror: null,
    unref: () => worker.unref(),
  };
  worker.on('message', (data) => thread.onmessage?.({ data } as MessageEvent));
  worker.on('error', (error: Error) => {
    thread.onerror?.({ message: error.message, preventDefault() {} } as ErrorEvent);
  });
  return thread;
}
