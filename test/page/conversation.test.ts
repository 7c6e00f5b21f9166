import { beforeEach, expect, test } from 'vitest';
import type { WorkerModel } from '../../src/embed/client.ts';
import { answerAnew, answering, begin, failure, last, say, stop, turns } from '../../src/page/chat/conversation.ts';

type Next = { text: string } | { end: 'eos' } | { fails: Error };

/** A model that answers what the test hands it, word by word; an abort ends it as the engine does. */
class Speaker {
  #next: (next: Next) => void = () => {};

  async *chat(_: unknown, { signal }: { signal: AbortSignal }) {
    for (;;) {
      const next = await new Promise<Next>((resolve, reject) => {
        this.#next = resolve;
        signal.addEventListener('abort', () => reject(signal.reason));
      });
      if ('fails' in next) throw next.fails;
      if ('end' in next) return { finishReason: next.end, timing: {}, usage: { completion: 1 } };
      yield { id: 1, text: next.text, logprob: -1 };
    }
  }

  async tell(next: Next): Promise<void> {
    this.#next(next);
    for (let i = 0; i < 10; i++) await undefined;
  }
}

const speaker = new Speaker();
const model = speaker as unknown as WorkerModel;
const said = () => turns.value.map(({ role, content }) => `${role}: ${content}`);

async function talk(): Promise<void> {
  const answer = say(model, 'Hello');
  await speaker.tell({ text: 'Good day' });
  await speaker.tell({ end: 'eos' });
  await answer;
}

beforeEach(async () => {
  begin();
  await talk();
});

test('*Answer anew* that is stopped before its first word keeps the answer that was there, and its figures', async () => {
  const before = said();
  const answer = answerAnew(model);
  expect(said()).toEqual(['user: Hello', 'assistant: ']);
  stop();
  await answer;
  expect(said()).toEqual(before);
  expect(last.value).toMatchObject({ finishReason: 'eos' });
  expect(answering.value).toBe(false);
});

test('a turn that is written anew, and whose answer fails, leaves what came after it', async () => {
  const before = said();
  const answer = say(model, 'Good bye', 0);
  await speaker.tell({ fails: new Error('too long') });
  await answer;
  expect(said()).toEqual(before);
  expect(failure.value).toMatchObject({ message: 'too long' });
});

test('a word of an answer that another has taken the place of is written into neither', async () => {
  const old = answerAnew(model);
  await speaker.tell({ text: 'Go' });
  const late = speaker.tell({ text: 'ne' }); // on its way when the turn is written anew
  const next = say(model, 'Good bye', 0);
  await late;
  await old;
  expect(said()).toEqual(['user: Good bye', 'assistant: ']);
  await speaker.tell({ text: 'Farewell' });
  await speaker.tell({ end: 'eos' });
  await next;
  expect(said()).toEqual(['user: Good bye', 'assistant: Farewell']);
  expect(answering.value).toBe(false);
});

test('one that is stopped after its first word stays, and so does a new turn without an answer', async () => {
  const answer = answerAnew(model);
  await speaker.tell({ text: 'Hi' });
  stop();
  await answer;
  expect(said()).toEqual(['user: Hello', 'assistant: Hi']);
  const next = say(model, 'And then?');
  stop();
  await next;
  expect(said()).toEqual(['user: Hello', 'assistant: Hi', 'user: And then?']);
});
