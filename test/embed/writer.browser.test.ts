import axe from 'axe-core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cdp } from 'vitest/browser';
import docs from '../../docs/faces.md?raw';
import { VitrineWriter, type WriterEvents } from '../../src/embed/elements.ts';
import { WorkerModel } from '../../src/embed/model.ts';
import { type Completion, load, type Token, VitrineError } from '../../src/index.ts';

const tiny = '/test/fixtures/tiny-gpt2/';
/** Waits for a state: a busy machine takes its time. */
const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 60_000 });

/** The next event of a kind. */
const next = (writer: VitrineWriter, name: keyof WriterEvents) =>
  new Promise((resolve) => writer.addEventListener(name, resolve, { once: true }));

/** The attributes of a writer that needs nothing but this machine; greedy, so that its text is known. */
const plain = { src: tiny, device: 'cpu', temperature: '0', 'max-tokens': '8', value: 'The sea' };

function make(attributes: Record<string, string> = plain, parent: Element = document.body): VitrineWriter {
  const writer = document.createElement('vitrine-writer');
  for (const [name, value] of Object.entries(attributes)) writer.setAttribute(name, value);
  parent.append(writer);
  return writer;
}

const part = <T extends HTMLElement = HTMLElement>(writer: Element, name: string): T =>
  writer.shadowRoot!.querySelector<T>(`[part~="${name}"]`)!;
const text = (writer: Element) => part<HTMLTextAreaElement>(writer, 'text');
const go = (writer: Element) => part<HTMLButtonElement>(writer, 'continue');
const heard = (writer: Element) => writer.shadowRoot!.querySelector('[role="status"]')!.textContent;
const marked = (writer: Element) => [...writer.shadowRoot!.querySelectorAll('mark')].map((mark) => mark.textContent);

const shown = (element: HTMLElement) => element.checkVisibility();

/** The events that reach the document. */
function listen(): Event[] {
  const events: Event[] = [];
  const names = ['vitrine-progress', 'vitrine-ready', 'vitrine-token', 'vitrine-completion', 'vitrine-error', 'input'];
  for (const name of [...names, 'change']) document.addEventListener(name, (event) => events.push(event));
  return events;
}
const named = <Name extends keyof WriterEvents>(events: Event[], name: Name) =>
  events.filter(({ type }) => type === name) as WriterEvents[Name][];

let expected: Completion;
beforeEach(async () => {
  if (expected) return;
  const model = await load(tiny, { device: 'cpu' });
  expected = await model.complete('The sea', { maxNewTokens: 8 });
  model.dispose();
});
afterEach(() => document.body.replaceChildren());

test('nothing is fetched until it is asked to write; then it writes in a worker, and tells of it', async () => {
  const events = listen();
  const writer = make();
  await new Promise((resolve) => requestAnimationFrame(resolve));
  expect(writer.status).toBe('idle');
  expect(text(writer).value).toBe('The sea');
  go(writer).click();
  expect(writer.matches(':state(loading)')).toBe(true);
  expect(go(writer).textContent).toBe('Stop');
  await until(() => expect(named(events, 'vitrine-completion')).toHaveLength(1));
  expect(writer.model).toBeInstanceOf(WorkerModel);
  expect(writer.value).toBe(`The sea${expected.text}`);
  expect(text(writer).value).toBe(writer.value);
  expect(marked(writer).join('')).toBe(expected.text);
  expect(named(events, 'vitrine-completion')[0]!.detail).toMatchObject({ text: expected.text, finishReason: 'length' });
  const tokens = named(events, 'vitrine-token').map(({ detail }) => detail as Token);
  expect(tokens.map(({ text }) => text).join('')).toBe(expected.text);
  expect(named(events, 'vitrine-progress').at(-1)!.detail).toMatchObject({ stage: 'ready' });
  expect(named(events, 'vitrine-ready')[0]!.detail).toBe(writer.model);
  expect(events.filter(({ type }) => type.startsWith('vitrine')).every(({ composed }) => composed)).toBe(true);
  expect(events.every(({ target }) => target === writer)).toBe(true);
  expect(events.filter(({ type }) => type === 'input')).toHaveLength(8);
  await until(() => expect(go(writer).textContent).toBe('Continue'));
  expect(part(writer, 'status').textContent).toMatch(/^8 tokens, \d/);
  expect(heard(writer)).toBe(`Added: ${expected.text}`);
  expect(writer.status).toBe('ready');
});

describe('attributes and properties', () => {
  test('are the same', () => {
    const writer = make({});
    writer.maxTokens = 12;
    writer.topK = 5;
    writer.disabled = true;
    writer.loading = 'visible';
    writer.src = 'somewhere/else';
    writer.src = '';
    expect(writer.outerHTML).toBe(
      '<vitrine-writer max-tokens="12" top-k="5" disabled="" loading="visible" src=""></vitrine-writer>',
    );
    writer.topK = null;
    writer.disabled = false;
    for (const [name, value] of Object.entries({ 'max-tokens': 'x', temperature: '0.2', loading: 'SOMETIME' })) {
      writer.setAttribute(name, value);
    }
    expect(writer).toMatchObject({ maxTokens: 64, temperature: 0.2, topK: null, disabled: false, loading: 'ask' });
    writer.placeholder = 'Once';
    writer.label = 'Your story';
    expect(text(writer).placeholder).toBe('Once');
    expect(part(writer, 'label').textContent).toBe('Your story');
  });

  test('set before the element is defined, they hold', () => {
    const writer = document.createElement('vitrine-later') as VitrineWriter;
    Object.assign(writer, { value: 'Early', maxTokens: 3, strings: { continue: 'Weiter' } });
    document.body.append(writer);
    customElements.define('vitrine-later', class extends VitrineWriter {});
    expect(writer.value).toBe('Early');
    expect(writer.getAttribute('max-tokens')).toBe('3');
    expect(go(writer).textContent).toBe('Weiter');
  });

  test('a setting that the engine refuses is shown, and leaves the text as it is', async () => {
    const events = listen();
    const writer = make({ ...plain, temperature: '-1' });
    await expect(writer.write()).rejects.toMatchObject({ code: 'bad-option' });
    expect(named(events, 'vitrine-error')).toHaveLength(1);
    expect(part(writer, 'error').textContent).toContain('temperature');
    expect(writer.status).toBe('error');
    writer.temperature = 0;
    part<HTMLButtonElement>(writer, 'retry').click();
    await until(() => expect(writer.value).toBe(`The sea${expected.text}`));
    expect(shown(part(writer, 'error'))).toBe(false);
  });
});

describe('a field of a form', () => {
  test('is sent, reset, required and disabled like a textarea', async () => {
    const form = document.createElement('form');
    document.body.append(form);
    const fieldset = form.appendChild(document.createElement('fieldset'));
    const writer = make({ ...plain, name: 'story', required: '' }, fieldset);
    expect(Object.fromEntries(new FormData(form))).toEqual({ story: 'The sea' });
    expect(writer.form).toBe(form);
    await writer.write();
    expect(new FormData(form).get('story')).toBe(`The sea${expected.text}`);
    form.reset();
    expect(writer.value).toBe('The sea');
    writer.value = '';
    expect(form.checkValidity()).toBe(false);
    expect(writer.validity.valueMissing).toBe(true);
    writer.value = 'A';
    expect(form.checkValidity()).toBe(true);
    fieldset.disabled = true;
    expect(text(writer).disabled && go(writer).disabled).toBe(true);
    expect([...new FormData(form).keys()]).toEqual([]);
    expect(writer.matches(':disabled')).toBe(true);
  });

  test("is named by its form's label, its own, or else by what it is", () => {
    const label = document.createElement('label');
    label.htmlFor = 'it';
    label.textContent = 'A letter';
    document.body.append(label);
    const writer = make({ ...plain, id: 'it' });
    expect(text(writer).ariaLabel).toBe('A letter');
    label.click();
    expect(document.activeElement).toBe(writer);
    expect(writer.shadowRoot!.activeElement).toBe(text(writer));
    expect(text(make()).ariaLabel).toBe('Text');
  });

  test('typing changes it, and leaves marks on what the model wrote', async () => {
    const events = listen();
    const writer = make();
    await writer.write();
    const [before] = marked(writer);
    for (const value of [`So: ${text(writer).value}`, `So: ${text(writer).value}!`]) {
      text(writer).value = value;
      text(writer).dispatchEvent(new InputEvent('input', { bubbles: true, composed: true }));
    }
    expect(writer.value).toBe(`So: The sea${expected.text}!`);
    expect(marked(writer)).toEqual([before]);
    writer.setAttribute('value', 'Another beginning'); // as of any field, it is the text no more
    expect(writer.value).toBe(`So: The sea${expected.text}!`);
    expect(events.filter(({ type }) => type === 'input').length).toBe(10);
  });
});

describe('Stop', () => {
  const long = { ...plain, 'max-tokens': '100000' }; // past the context, it would go on and on

  test('by its button or Escape ends the writing and keeps the text; Undo takes it back', async () => {
    for (const stop of ['click', 'Escape']) {
      const events = listen();
      const writer = make(long);
      const done = writer.write();
      expect(writer.write()).toBe(done);
      await until(() => expect(named(events, 'vitrine-token').length).toBeGreaterThan(2));
      expect(text(writer).readOnly).toBe(true);
      if (stop === 'click') go(writer).click();
      else text(writer).dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
      const completion = await done;
      expect(completion.finishReason).toBe('abort');
      expect(writer.value.length).toBeGreaterThan('The sea'.length);
      await until(() => expect(go(writer).textContent).toBe('Continue'));
      expect(part(writer, 'status').textContent).toBe('Stopped');
      part<HTMLButtonElement>(writer, 'undo').click();
      expect(writer.value).toBe('The sea');
      expect(marked(writer)).toEqual([]);
      expect(shown(part(writer, 'undo'))).toBe(false);
      expect(writer.shadowRoot!.activeElement).toBe(text(writer));
      writer.remove();
    }
  });

  test('while the model is fetched ends the load', async () => {
    const writer = make(plain);
    let [asked, aborted] = [false, false];
    const pending: typeof fetch = (_, init) =>
      new Promise((_, reject) => {
        asked = true;
        init!.signal!.addEventListener('abort', () => {
          aborted = true;
          reject(init!.signal!.reason);
        });
      });
    writer.options = { fetch: pending, cache: false };
    const done = writer.write();
    expect(writer.status).toBe('loading');
    await until(() => expect(asked).toBe(true));
    expect(shown(part(writer, 'progress'))).toBe(true);
    writer.stop();
    await expect(done).rejects.toMatchObject({ name: 'AbortError' });
    await until(() => expect(aborted).toBe(true));
    expect(writer.status).toBe('idle');
    expect(shown(part(writer, 'error'))).toBe(false);
    expect(part(writer, 'status').textContent).toBe('Stopped');
  });

  test('and Continue at once: the new text is continued, when the old one has ended', async () => {
    const writer = make(long);
    const begun = next(writer, 'vitrine-token');
    const first = writer.write();
    await begun;
    writer.value = 'The sea';
    expect(go(writer).textContent).toBe('Continue');
    writer.maxTokens = 8;
    const second = writer.write();
    expect(second).not.toBe(first);
    expect((await second).text).toBe(expected.text);
    expect((await first).finishReason).toBe('abort');
    expect(writer.value).toBe(`The sea${expected.text}`);
  });

  test('comes with another text, model or source', async () => {
    const writer = make(long);
    for (const change of [() => (writer.value = 'New'), () => (writer.src = `${tiny}?`), () => (writer.model = null)]) {
      writer.src = tiny;
      const done = writer.write().catch((error: Error) => error);
      await until(() => expect(writer.status).toBe('writing'));
      change();
      expect(await done).toMatchObject(writer.value === 'New' ? {} : expect.anything());
      await until(() => expect(writer.status).not.toBe('writing'));
    }
    writer.value = 'New';
    expect(writer.value).toBe('New');
  });
});

describe('in the DOM', () => {
  test('moved while it writes it goes on; removed it ends, and its model with it', async () => {
    const [here, there] = [document.createElement('div'), document.createElement('div')];
    document.body.append(here, there);
    const writer = make({ ...plain, 'max-tokens': '60' }, here);
    const begun = next(writer, 'vitrine-token');
    const done = writer.write();
    await begun;
    there.append(writer);
    expect((await done).ids).toHaveLength(60);
    const { model } = writer;
    writer.maxTokens = 100_000;
    const second = writer.write();
    await until(() => expect(writer.status).toBe('writing'));
    writer.remove();
    await second.catch(() => {});
    await until(() => expect(writer.model).toBeUndefined());
    await until(() => expect(model!.complete([1])).rejects.toMatchObject({ code: 'disposed' }));
    here.append(writer);
    writer.maxTokens = 1;
    expect((await writer.write()).ids).toHaveLength(1);
  });

  test('in another document it keeps its style', async () => {
    const frame = document.createElement('iframe');
    document.body.append(frame);
    const writer = make();
    frame.contentDocument!.body.append(writer);
    const style = frame.contentWindow!.getComputedStyle(text(writer));
    await until(() => expect(style.resize).toBe('none'));
  });

  test('with loading="visible" the model is fetched once the element is seen, with "eager" at once', async () => {
    const above = document.createElement('div');
    above.style.height = '400vh';
    document.body.append(above);
    const writer = make({ ...plain, loading: 'visible' });
    const eager = make({ ...plain, src: new URL(tiny, location.href).href, loading: 'eager' });
    await eager.load();
    expect(writer.status).toBe('idle');
    writer.scrollIntoView();
    await until(() => expect(writer.status).toBe('ready'));
    expect(heard(writer)).toBe('The model is ready');
    expect(writer.value).toBe('The sea');
  });

  test('two writers with the same settings share a model; one that the page gives comes before src', async () => {
    const [one, two] = [make(), make()];
    expect(await two.load()).toBe(await one.load());
    const own = await load(tiny, { device: 'cpu' });
    one.model = own;
    expect(one.model).toBe(own);
    expect(one.status).toBe('ready');
    expect((await one.write()).text).toBe(expected.text);
    one.remove();
    expect((await two.write()).text).toBe(expected.text);
    expect((await own.complete('The sea', { maxNewTokens: 8 })).text).toBe(expected.text); // it is the page's still
    own.dispose();
  });
});

test('a model that cannot be fetched is shown with a way out, which works once it can', async () => {
  const events = listen();
  let there = false;
  const flaky: typeof fetch = async (...args) => (there ? fetch(...args) : new Response('', { status: 404 }));
  const writer = make();
  writer.options = { fetch: flaky, cache: false };
  await expect(writer.write()).rejects.toBeInstanceOf(VitrineError);
  expect(named(events, 'vitrine-error')).toHaveLength(1);
  const alert = writer.shadowRoot!.querySelector<HTMLElement>('[role="alert"]')!;
  expect(shown(alert)).toBe(true);
  expect(alert.textContent).toContain('404');
  there = true;
  part<HTMLButtonElement>(writer, 'retry').click();
  expect(writer.shadowRoot!.activeElement).toBe(go(writer));
  await until(() => expect(writer.value).toBe(`The sea${expected.text}`));
  expect(shown(alert)).toBe(false);
  const bare = make({});
  await expect(bare.write()).rejects.toMatchObject({ code: 'bad-option' });
  expect(part(bare, 'error').textContent).toContain('src');
});

test('the example of docs/faces.md is one', async () => {
  const [, example = ''] = /```html\n([\s\S]*?)```/.exec(docs) ?? [];
  const main = document.body.appendChild(document.createElement('main'));
  main.innerHTML = example.replace('openai-community/gpt2', tiny);
  const [script, writer] = [main.querySelector('script')!, main.querySelector('vitrine-writer')!];
  expect(script.src).toMatch(/\/vitrine\/dist\/elements\.js$/);
  expect(writer).toBeInstanceOf(VitrineWriter);
  expect((await writer.write()).text).not.toBe('');
  expect(writer.value).toContain('Once upon a time');
  expect(part(writer, 'label').textContent).toBe('Your story');
});

test('who asks for less motion gets a caret that stays and a bar that does not slide', async () => {
  const features = [{ name: 'prefers-reduced-motion', value: 'reduce' }];
  const writer = make({ ...plain, 'max-tokens': '100000' });
  const done = writer.write();
  const bar = part(writer, 'progress-fill');
  expect(getComputedStyle(bar).animationName).toBe('slide');
  await cdp().send('Emulation.setEmulatedMedia', { features });
  try {
    expect(getComputedStyle(bar).animationName).toBe('none');
    await until(() => expect(writer.status).toBe('writing'));
    expect(getComputedStyle(writer.shadowRoot!.querySelector('.caret')!).animationName).toBe('none');
  } finally {
    await cdp().send('Emulation.setEmulatedMedia', { features: [] });
    writer.stop();
    await done.catch(() => {});
  }
});

test('Ctrl + Enter continues; a space at the end is the next word’s', async () => {
  const writer = make({ ...plain, value: 'The sea ' });
  text(writer).dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true }));
  await until(() => expect(writer.value).toBe(`The sea ${expected.text.replace(/^ /, '')}`));
});

test('slots and words of its own: a label, what stands in its bar, another language', async () => {
  const writer = make();
  writer.innerHTML = '<b slot="label">Brief</b><small>Hilfe</small>';
  writer.strings = { continue: 'Weiter', loading: () => 'Lädt' };
  await until(() => expect(shown(part(writer, 'label'))).toBe(true));
  expect(text(writer).ariaLabel).toBe(null);
  expect(go(writer).textContent).toBe('Weiter');
  const done = writer.write();
  expect(part(writer, 'status').textContent).toBe('Lädt');
  await done;
});

describe.each(['light', 'dark'])('axe-core finds nothing, %s', (scheme) => {
  test('idle, loading, writing, done, failed and disabled', async () => {
    document.documentElement.style.colorScheme = scheme;
    document.body.style.background = scheme === 'dark' ? '#0e1413' : '#ffffff';
    const main = document.body.appendChild(document.createElement('main'));
    const violations = async () => {
      const found = await axe.run(main, { rules: { region: { enabled: false } } });
      return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
    };
    const writer = make({ ...plain, label: 'Story', placeholder: 'Write' }, main);
    make({ ...plain, disabled: '', placeholder: 'Write', value: '' }, main);
    make({ label: 'Broken' }, main)
      .write()
      .catch(() => {});
    const pending: typeof fetch = (_, init) =>
      new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason)));
    const loading = make({ ...plain, label: 'Waiting' }, main);
    loading.options = { fetch: pending, cache: false };
    loading.write().catch(() => {});
    await writer.write();
    expect(await violations()).toEqual([]);
    writer.maxTokens = 100_000;
    const begun = next(writer, 'vitrine-token');
    const done = writer.write();
    await begun;
    expect(await violations()).toEqual([]);
    writer.stop();
    await done;
    document.documentElement.style.colorScheme = '';
    document.body.style.background = '';
  });
});

test('where no worker can be had it writes on this thread', async () => {
  vi.stubGlobal('Worker', undefined);
  try {
    const writer = make();
    writer.options = { contextLength: 64 }; // settings of its own, so that no worker of another test serves it
    await writer.write();
    expect(writer.model).not.toBeInstanceOf(WorkerModel);
    expect(writer.value).toBe(`The sea${expected.text}`);
  } finally {
    vi.unstubAllGlobals();
  }
});
