import { beforeEach, describe, expect, test, vi } from 'vitest';
import { EngineWorker, type WorkerModel } from '../../src/embed/client.ts';
import { loading, show, shown } from '../../src/page/models.ts';
import { embedded } from '../../src/page/sources.ts';
import * as writing from '../../src/page/writing.ts';

/** A model that writes what the test hands it, token by token, and ends when it is told. */
class Writer {
  readonly #waiting: ((token: string | undefined) => void)[] = [];
  readonly asked: string[] = [];
  readonly edits: unknown[] = [];
  readonly dispose = () => {};

  async *generate(prompt: string, { signal, edits }: { signal: AbortSignal; edits: unknown }) {
    this.asked.push(prompt);
    this.edits.push(edits);
    for (;;) {
      const text = await new Promise<string | undefined>((resolve, reject) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
      if (text === undefined) return { finishReason: 'eos', timing: { tokensPerSecond: 1 } };
      yield { id: 1, text, logprob: -1 };
    }
  }

  /** Hands over a token, or the end; resolves when the page has taken it. */
  async write(text: string | undefined): Promise<void> {
    await expect.poll(() => this.#waiting.length).toBe(1);
    this.#waiting.pop()!(text);
    for (let i = 0; i < 10; i++) await undefined;
  }
}

let model: Writer;
beforeEach(() => {
  model = new Writer();
  loading.value = undefined;
  shown.value = { ref: embedded, model: model as unknown as WorkerModel, device: 'auto', talks: false };
  writing.stop();
  writing.openText('Once');
  writing.set('temperature', 0.8);
});

const text = () => writing.shownText.value;

test('a word that an input method makes is one step back, however long it takes', () => {
  const clock = vi.spyOn(performance, 'now');
  let now = 1e6;
  const type = (what: string, after: number) => {
    clock.mockReturnValue((now += after));
    writing.type(what);
  };
  type('Once a', 5000);
  writing.composition.onCompositionStart();
  for (const [i, part] of ['n', 'ni', 'nih', '你好'].entries()) type(`Once a${part}`, i === 0 ? 5000 : 3000);
  writing.composition.onCompositionEnd();
  type('Once a你好!', 3000);
  clock.mockRestore();
  const steps = [];
  for (; writing.canUndo.value; writing.undo()) steps.push(text());
  expect(steps).toEqual(['Once a你好!', 'Once a你好', 'Once a']);
});

async function completeWith(...tokens: string[]): Promise<void> {
  const run = writing.complete();
  for (const token of tokens) await model.write(token);
  await model.write(undefined);
  await run;
}

test('what leaves the text as it is, as an input method that is called off does, takes nothing away that can be done again', () => {
  writing.type('Once more');
  writing.undo();
  writing.type('Once');
  expect(writing.canRedo.value).toBe(true);
  writing.replaceText('Once'); // as a lesson does that is gone back in, and a link that is followed again
  expect(writing.canRedo.value).toBe(true);
  writing.redo();
  expect(text()).toBe('Once more');
});

describe('a run is a transaction', () => {
  test('that commits what it wrote as one step', async () => {
    await completeWith(' upon', ' a');
    expect(text()).toBe('Once upon a');
    expect(writing.prompt.value).toBe('Once');
    expect(writing.run.value).toMatchObject({ tokens: 2, finishReason: 'eos' });
    writing.undo();
    expect(text()).toBe('Once');
    writing.redo();
    expect(text()).toBe('Once upon a');
  });

  test('*Another* that is stopped before its first token keeps the old completion, its seed and what can be undone', async () => {
    await completeWith(' upon');
    const { seed } = writing.settings.value;
    const run = writing.rewrite();
    await expect.poll(() => model.asked).toEqual(['Once', 'Once']);
    expect(text()).toBe('Once');
    writing.stop();
    await run;
    expect(text()).toBe('Once upon');
    expect(writing.settings.value.seed).toBe(seed);
    expect(writing.run.value).toMatchObject({ tokens: 1 });
    writing.undo();
    expect(text()).toBe('Once');
  });

  test('*Another* takes the place of the last completion, one step after the same text', async () => {
    await completeWith(' upon');
    const run = writing.rewrite();
    await model.write(' there');
    await model.write(undefined);
    await run;
    expect(text()).toBe('Once there');
    writing.undo();
    expect(text()).toBe('Once');
    expect(writing.canUndo.value).toBe(false);
  });

  test('with changes inside the model is written again with them, and the next one without', async () => {
    const edits = [{ name: 'blocks.0.attn.hook_z', head: 1, scale: 0 }];
    const first = writing.complete(edits);
    await model.write(' upon');
    await model.write(undefined);
    await first;
    const again = writing.rewrite();
    await model.write(' there');
    await model.write(undefined);
    await again;
    await completeWith(' was');
    expect(model.edits).toEqual([edits, edits, []]);
  });

  test('an empty one keeps what can be done again, and says how it ended', async () => {
    await completeWith(' upon');
    writing.undo();
    await completeWith();
    expect(writing.run.value).toMatchObject({ tokens: 0, finishReason: 'eos' });
    expect(writing.canRedo.value).toBe(true);
    writing.redo();
    expect(text()).toBe('Once upon');
  });

  test('one that is stopped keeps what it wrote, and takes nothing that comes later', async () => {
    const run = writing.complete();
    await model.write(' upon');
    writing.stop();
    expect(writing.phase.value).toBe('idle');
    await run;
    expect(text()).toBe('Once upon');
    expect(writing.run.value).toMatchObject({ tokens: 1, finishReason: 'abort' });
  });

  test('a link that is followed meanwhile shows its own text, and can be completed at once', async () => {
    const run = writing.complete();
    await model.write(' upon');
    writing.replaceText('The sun');
    writing.completeOrStop(); // no time passes: the click is aimed at the new text
    expect(writing.phase.value).toBe('waiting');
    await run;
    await expect.poll(() => model.asked).toEqual(['Once', 'The sun']);
    writing.stop();
    expect(text()).toBe('The sun');
    writing.undo();
    expect(text()).toBe('Once upon');
  });

  test('waits for the load that took the place of the one it was waiting for', async () => {
    const loads: { resolve(model: unknown): void; reject(error: unknown): void }[] = [];
    const load = vi
      .spyOn(EngineWorker.prototype, 'load')
      .mockImplementation(
        () => new Promise((resolve, reject) => loads.push({ resolve: resolve as (model: unknown) => void, reject })),
      );
    vi.stubGlobal('document', { baseURI: 'https://page.example/' });
    void show(embedded);
    const run = writing.complete();
    void show(embedded); // as a link does
    loads[0]!.reject(new DOMException('superseded', 'AbortError'));
    loads[1]!.resolve(Object.assign(model, { device: { kind: 'wasm' } }));
    await model.write(' upon');
    await model.write(undefined);
    await run;
    expect(text()).toBe('Once upon');
    load.mockRestore();
    vi.unstubAllGlobals();
  });
});
