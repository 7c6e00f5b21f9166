// A thread of the WebAssembly backend. It says that it is there, and is then told what to follow: the runs that the
// backend's own thread leads (kernels/threads.ts). It never comes back to hear another message. Plain JavaScript
// without imports, because Node starts it from the source as it stands, and browsers from a blob where they must.
const port = globalThis.process?.getBuiltinModule?.('node:worker_threads')?.parentPort ?? globalThis;

function start({ module, memory, thread, threads, last }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  port.postMessage('ready');
  exports.follow(thread, threads, last);
}

if (port === globalThis) port.onmessage = ({ data }) => start(data);
else port.once('message', start);
port.postMessage('here');
