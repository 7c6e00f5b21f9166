import { expect, test } from 'vitest';
import { Connection } from '../../src/embed/connection.ts';
import type { Call } from '../../src/embed/protocol.ts';
import type { Thread } from '../../src/host/worker.ts';

/** A worker that answers as it is told, call by call. */
function workerThat(answer: (call: Call) => void): Thread {
  return {
    postMessage: (message) => answer(message as Call),
    terminate() {},
    onmessage: null,
    onerror: null,
  };
}

test('a worker that stops while it loads is given up, and its connection with it', async () => {
  const asked: string[] = [];
  const connection = new Connection(Promise.resolve(workerThat(({ name }) => asked.push(name))), 20);
  await expect(connection.load('load', '/model/', {})).rejects.toMatchObject({ code: 'no-worker' });
  expect(asked).toEqual(['load', 'greet']);
  expect(connection.ended).toBe(true);
});

test('one that is silent, but hears, is waited for', async () => {
  let greetings = 0;
  let loaded: () => void = () => {};
  const worker = workerThat(({ name, port }) => {
    if (name === 'load') loaded = () => port.postMessage({ result: { id: 1 } });
    else port.postMessage({ result: true });
    if (name === 'greet' && ++greetings === 3) loaded();
  });
  const connection = new Connection(Promise.resolve(worker), 20);
  expect(await connection.load('load', '/model/', {})).toMatchObject({ id: 1 });
  expect(connection.ended).toBe(false);
});
