// A thread of the WebAssembly backend. It follows the runs that the thread of the backend leads (kernels/threads.ts) and
// never comes back to hear another message. Plain JavaScript, because Node starts it from the source as it stands.
const port = globalThis.process?.getBuiltinModule?.('node:worker_threads')?.parentPort ?? globalThis;

function start({ module, memory, thread, threads, last }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  port.postMessage('ready');
  exports.follow(thread, threads, last);
}

if (port === globalThis) port.onmessage = ({ data }) => start(data);
else port.once('message', start);
