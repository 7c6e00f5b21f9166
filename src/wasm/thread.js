// A thread of the WebAssembly backend. It says that it is there, and is then told what to follow: the runs that the
// backend's own thread leads (kernels/threads.ts). It hears no other message. Plain JavaScript without imports, because Node
// starts it from the source as it stands, and browsers from a blob where they must.
const port = globalThis.process?.getBuiltinModule?.('node:worker_threads')?.parentPort ?? globalThis;

// Words of kernels/threads.ts, as indices.
const EPOCH = 64 / 4;
const SLEEPERS = 320 / 4;
const STATE = 128 / 4;
const CLOSED = 128;
const FAILED = 1024 / 4;
const mostLetters = 400;

async function start({ module, memory, thread, threads, last }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  port.postMessage('ready');
  // A thread with nothing to do goes back to its event loop and waits there: Firefox claims no page for a service worker
  // while one of its workers blocks. Node has no such need, and would end a worker whose event loop has nothing to do.
  const idle = port === globalThis && Atomics.waitAsync ? 100 : -1;
  const words = new Int32Array(memory.buffer);
  for (let done = last; ; ) {
    try {
      done = exports.follow(thread, threads, done, idle);
    } catch (error) {
      return fail(words, error);
    }
    Atomics.add(words, SLEEPERS, 1);
    await Atomics.waitAsync(words, EPOCH, done).value;
    Atomics.sub(words, SLEEPERS, 1);
  }
}

/** Lets nobody wait for this thread any more, and says why: the one that leads may be asleep and hears no message. */
function fail(words, error) {
  if (Atomics.load(words, FAILED) === 0) {
    const letters = [...String(error)].slice(0, mostLetters).map((letter) => letter.codePointAt(0) % 128);
    new Uint8Array(words.buffer, 4 * FAILED + 4).set(letters);
    Atomics.store(words, FAILED, letters.length);
  }
  Atomics.store(words, STATE, CLOSED);
  Atomics.notify(words, STATE);
}

if (port === globalThis) port.onmessage = ({ data }) => start(data);
else port.once('message', start);
port.postMessage('here');
