import { createElement, type ReactNode, StrictMode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorkerModel } from '../../src/embed/client.ts';
import { type SharedOptions, type UsedModel, useModel } from '../../src/embed/react.ts';
import { type Source, VitrineError } from '../../src/index.ts';

const tiny = '/test/fixtures/tiny-gpt2/';
const cpu = { device: 'cpu', cache: false } as const;

let root: Root;
beforeEach(() => {
  root = createRoot(document.createElement('div'));
});
afterEach(() => root.unmount());

/** All that the hook returned, in order, by the place that asked. */
let seen: UsedModel[] = [];
beforeEach(() => {
  seen = [];
});

function Writer({ source, options }: { source: Source | null; options?: SharedOptions }): ReactNode {
  const used = useModel(source, options);
  seen.push(used);
  return used.status;
}

/** Waits for a state: a busy machine takes its time. */
const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 60_000 });

/** Draws, and waits until it is drawn. */
async function render(...writers: ReactNode[]): Promise<void> {
  const drawn = seen.length;
  root.render(createElement(StrictMode, null, ...writers));
  await until(() => expect(writers.length === 0 || seen.length > drawn).toBe(true));
}
const writer = (source: Source | null, options: SharedOptions = cpu, key?: string) =>
  createElement(Writer, { source, options, key });

/** The newest state that is no loading. */
const settled = () =>
  until(() => {
    expect(seen.at(-1)!.status).not.toBe('loading');
    return seen.at(-1)!;
  });

/** `fetch` that counts how often weights are asked for; it stays on this thread, so the load does too. */
function counting() {
  const asked: string[] = [];
  const fetchFile: typeof fetch = (input, init) => {
    asked.push(String(input instanceof Request ? input.url : input));
    return fetch(input, init);
  };
  return { asked, options: { ...cpu, fetch: fetchFile } };
}

test('in StrictMode a model loads once, in a worker, with progress, and is disposed on unmount', async () => {
  await render(writer(tiny));
  const { status, model } = await settled();
  expect(status).toBe('ready');
  expect(model).toBeInstanceOf(WorkerModel);
  expect((await model!.complete([1, 2], { maxNewTokens: 2 })).ids).toHaveLength(2);
  const states = [...new Set(seen)];
  expect(states[0]!.status).toBe('loading');
  const steps = states.map((state) => state.progress?.loaded).filter((loaded) => loaded !== undefined);
  expect(steps.length).toBeGreaterThan(0);
  expect(new Set(states.map((state) => state.model).filter(Boolean)).size).toBe(1);
  await render();
  await until(() => expect(model!.complete([1])).rejects.toMatchObject({ code: 'disposed' }));
});

test('StrictMode and a second component ask for nothing twice; new objects with the same in them are the same', async () => {
  const { asked, options } = counting();
  await render(writer(tiny, options, 'a'), writer(tiny, { ...options }, 'b'));
  const { model } = await settled();
  expect(model).not.toBeInstanceOf(WorkerModel);
  const weights = asked.filter((url) => url.endsWith('/config.json'));
  expect(weights).toHaveLength(1);
  await render(writer(tiny, { ...options, fetch: async (...args) => fetch(...args) }, 'a'));
  expect((await settled()).model).toBe(model);
  expect((await model!.complete([1], { maxNewTokens: 1 })).ids).toHaveLength(1); // the one component left holds it
});

test('another source, or another option, is another model; the one before is disposed', async () => {
  const options = { ...cpu, worker: false };
  await render(writer(tiny, options));
  const first = (await settled()).model!;
  await render(writer(new URL(tiny, location.href), options));
  expect(seen.at(-1)!.model).not.toBe(first); // loading, or already the other
  const second = (await settled()).model!;
  expect(second).not.toBe(first);
  await until(() => expect(first.complete([1])).rejects.toMatchObject({ code: 'disposed' }));
  await render(writer(new URL(tiny, location.href), { ...options, contextLength: 16 }));
  const third = (await settled()).model!;
  await expect(third.complete(Array.from({ length: 20 }, () => 1))).rejects.toMatchObject({ code: 'context-full' });
});

test('unmounted while it loads, the load is aborted', async () => {
  let aborted: Promise<void> | undefined;
  const pending: typeof fetch = (_, init) => {
    aborted = new Promise((resolve) => init!.signal!.addEventListener('abort', () => resolve()));
    return new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason)));
  };
  await render(writer(tiny, { ...cpu, fetch: pending }));
  await until(() => expect(aborted).toBeDefined());
  await render();
  await aborted;
});

test('an error is a state, and retry loads again', async () => {
  let fails = true;
  const flaky: typeof fetch = async (...args) => (fails ? new Response('', { status: 404 }) : fetch(...args));
  await render(writer(tiny, { ...cpu, fetch: flaky }));
  const { status, error, retry } = await settled();
  expect(status).toBe('error');
  expect(error).toBeInstanceOf(VitrineError);
  fails = false;
  retry();
  await until(() => expect(seen.at(-1)!.status).toBe('ready'));
  const own = { ...cpu, onProgress: () => {} } as SharedOptions;
  await render(writer(tiny, own));
  expect((await settled()).error).toMatchObject({ code: 'bad-option', message: expect.stringContaining('onProgress') });
});

test('without a source nothing is loaded; on a server it is loading', async () => {
  await render(writer(null));
  expect(seen.map(({ status }) => status)).toEqual(expect.arrayContaining(['idle']));
  expect(seen.every(({ status }) => status === 'idle')).toBe(true);
  expect(renderToString(writer(tiny))).toBe('loading');
  expect(renderToString(writer(null))).toBe('idle');
});
