/** What an example of the playground says while it runs. */
export interface Said {
  kind: 'line' | 'piece' | 'error';
  text: string;
}

export interface Example {
  code: string;
  /** Addresses that the example's `import`s stand for, by their names. */
  modules: Record<string, string>;
  /** The folder of the embedded models; the example sees it as `models`. */
  models: string;
  onSaid: (said: Said) => void;
}

/**
 * Runs an example as a module of its own in a worker, so that it can be stopped whatever it does, and the page never
 * freezes. `console.log` gives a line, `write` a piece of text.
 * @returns a promise that settles when the example has ended, and a way to end it
 */
export function runExample({ code, modules, models, onSaid }: Example): { ended: Promise<void>; stop: () => void } {
  const source = `${prelude(models)}${withAddresses(code, modules)}\n;postMessage({ kind: 'end' });`;
  const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(address, { type: 'module' });
  let stop = () => {};
  const ended = new Promise<void>((resolve) => {
    stop = resolve;
    worker.onmessage = ({ data }: MessageEvent<Said | { kind: 'end' }>) => {
      if (data.kind !== 'end') onSaid(data);
      if (data.kind === 'end' || data.kind === 'error') resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      onSaid({ kind: 'error', text: event.message || 'The example could not be started.' });
      resolve();
    };
  }).finally(() => {
    worker.terminate();
    URL.revokeObjectURL(address);
  });
  return { ended, stop };
}

/** On one line, so that the lines of an error are the example's own. */
function prelude(models: string): string {
  return [
    `const models = ${JSON.stringify(models)};`,
    "const show = (value) => typeof value === 'string' ? value : ArrayBuffer.isView(value) ? '[' + value.slice(0, 8).join(', ') + (value.length > 8 ? ', …' : '') + ']' : JSON.stringify(value, (_, inner) => ArrayBuffer.isView(inner) ? show(inner) : inner);",
    "const console = { log: (...values) => postMessage({ kind: 'line', text: values.map(show).join(' ') }) };",
    "const write = (text) => postMessage({ kind: 'piece', text });",
    "addEventListener('unhandledrejection', ({ reason }) => postMessage({ kind: 'error', text: (reason?.code ? reason.code + ': ' : '') + (reason?.message ?? reason) }));",
  ].join(' ');
}

function withAddresses(code: string, modules: Record<string, string>): string {
  return code.replace(/(\bfrom\s*)'([^']+)'/g, (whole, from, name) =>
    name in modules ? `${from}'${modules[name]}'` : whole,
  );
}
