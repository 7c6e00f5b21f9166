import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import type { Drawn } from '../../src/page/inside/draw/matrix.tsx';
import { readModelFile } from '../fixtures.ts';
import { serve as serveModel } from '../load/server.ts';
import { encodeSafetensors, tinyCheckpoint } from '../load/tiny-checkpoint.ts';
import type { Tab } from './tab.ts';

const patience = { timeout: 120_000, interval: 100 };

/** What a visitor does first, in a browser that the other suites do not run in. */
export function smoke(launch: () => Promise<Tab>, devices: readonly ('wasm' | 'webgpu')[]): void {
  let tab: Tab;
  let site: Awaited<ReturnType<typeof serve>>;
  let prompt: string;
  let expected: string;

  beforeAll(async () => {
    const reference = new TextDecoder().decode(await readModelFile('tiny-tales/reference.json'));
    const [{ prompt: words, greedy_text }] = JSON.parse(reference).cases;
    [prompt, expected] = [words, words + greedy_text];
    tab = await launch();
  });
  afterAll(() => tab?.close());
  // Each test has an origin of its own, and so a browser that has never been there.
  afterEach(() => site.close());

  // What was on the page when a test failed says more than what was not.
  beforeEach(() => {
    onTestFailed(async () => console.log(await tab.run(() => document.body.innerText)));
  });

  const open = async (device: string, folder = fileURLToPath(new URL('../../site', import.meta.url))) => {
    site = await serve(folder);
    const settings = { device, prompt, temperature: '0', 'max-new-tokens': '24' };
    await tab.goto(`${site.url}#${new URLSearchParams(settings)}`);
    await ready();
  };
  const has = (selector: string) => tab.run((selector) => !!document.querySelector(selector), selector);
  const waitFor = (selector: string) => expect.poll(() => has(selector), { ...patience, message: selector }).toBe(true);
  const ready = () => waitFor('.device');
  /** Until the new page stands: the old one is there for a while, and has the same on it. */
  const reload = async () => {
    const leave = () => {
      document.body.dataset.left = '';
      setTimeout(() => location.reload(), 0);
    };
    await tab.run(leave).catch(() => {}); // the answer may be lost with the page
    await expect.poll(() => has('body:not([data-left]) .device').catch(() => false), patience).toBe(true);
  };
  /** Presses the button that is called so, once it can be pressed. */
  const press = (name: string) => {
    const pressed = (name: string) => {
      const called = (button: HTMLButtonElement) => (button.ariaLabel ?? button.textContent ?? '').trim();
      const button = [...document.querySelectorAll('button')].find((found) => called(found).startsWith(name));
      if (!button || button.disabled) return false;
      button.click();
      return true;
    };
    return expect.poll(() => tab.run(pressed, name), { ...patience, message: `the button ${name}` }).toBe(true);
  };
  const text = () => tab.run(() => document.querySelector('textarea')!.value);
  const complete = async () => {
    await press('Complete');
    const written = () =>
      tab.run(() => {
        const idle = [...document.querySelectorAll('button')].some((button) =>
          button.textContent?.startsWith('Complete'),
        );
        return idle && /tokens\/s/.test(document.body.innerText);
      });
    await expect.poll(written, patience).toBe(true);
  };
  const completed = async () => {
    await complete();
    await expect.poll(text, patience).toBe(expected);
  };
  const device = () => tab.run(() => document.querySelector<HTMLElement>('.device')!.dataset.kind);
  /** The service worker has the whole build, and serves this page. */
  const kept = () =>
    expect.poll(() => tab.run(() => navigator.serviceWorker.controller?.state), patience).toBe('activated');

  test.each(devices)('completes a prompt on %s', async (kind) => {
    await open(kind);
    await completed();
    expect(await device()).toBe(kind);
  });

  test('looks inside, after the service worker has taken the page over', async () => {
    await open('wasm');
    await kept();
    await press('See inside the model');
    const spread = () =>
      tab.run(() => {
        const canvases = [...document.querySelectorAll('canvas')] as (HTMLCanvasElement & { drawn?: Drawn })[];
        const data = canvases.find(({ drawn }) => drawn)?.drawn?.data ?? [];
        return Math.max(...data) - Math.min(...data);
      });
    await expect.poll(spread, patience).toBeGreaterThan(0);
    await press('Close the model');
    await press('Change model');
    await waitFor('#dialog-title');
  });

  test('works without a network after one visit, and shares memory with threads', async () => {
    await open('wasm');
    await kept();
    await site.close();
    await reload();
    await completed();
    const threads = await tab.run(() => [crossOriginIsolated, typeof SharedArrayBuffer]);
    expect(threads).toEqual([true, 'function']);
    expect(await tab.run(() => document.querySelector('.device')!.textContent)).toMatch(/[2-8] threads/);
  });

  test("another page's element writes, in its style, and is a field of its form", async () => {
    const folder = fileURLToPath(new URL('.', import.meta.url));
    const folders = Object.fromEntries(
      Object.entries({ '/vitrine/': 'dist', '/models/': 'public/models' }).map(([at, name]) => [
        at,
        fileURLToPath(new URL(`../../${name}`, import.meta.url)),
      ]),
    );
    site = await serve(folder, 0, { folders });
    await tab.goto(`${site.url}writer.html`);
    const value = () =>
      tab.run(() => {
        const writer = document.querySelector<HTMLElement & { status: string; write(): void }>('vitrine-writer')!;
        if (writer.status === 'idle') writer.write();
        return writer.status === 'ready' ? new FormData(document.querySelector('form')!).get('story') : undefined;
      });
    await expect.poll(value, patience).toBe(expected);
    const style = () =>
      tab.run(() => {
        const root = document.querySelector('vitrine-writer')!.shadowRoot!;
        const [text, mark] = [root.querySelector('textarea')!, root.querySelector('mark')!];
        const [paper, mirror] = [text.parentElement!, mark.parentElement!].map((box) => box.getBoundingClientRect());
        return {
          resize: getComputedStyle(text).resize,
          accent: getComputedStyle(root.querySelector('.go')!).backgroundColor,
          grows: text.clientHeight === mirror!.height && paper!.height >= mirror!.height,
        };
      });
    await expect.poll(style, patience).toEqual({ resize: 'none', accent: 'rgb(0, 119, 102)', grows: true });
  });

  test('keeps a model of another origin, and uses it when that is gone', async () => {
    const { config, tensors } = tinyCheckpoint({ vocabSize: 50257 });
    const files = { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) };
    const models = await serveModel(files);
    const name = new URL(models.url).host;
    const chosen = () => expect.poll(() => tab.run(() => document.querySelector('.rail h2')?.textContent), patience);
    await open('wasm');
    await press('Change model');
    await waitFor('#hub-id');
    await tab.run((url) => {
      const input = document.querySelector<HTMLInputElement>('#hub-id')!;
      input.value = url;
      input.dispatchEvent(new Event('input', { bubbles: true }));
    }, models.url);
    await press('Find');
    await press('Download');
    await chosen().toBe(name);
    await models.close();
    await reload();
    await press('Change model');
    await press(`Use ${name}`);
    await chosen().toBe(name);
    await press('Start over');
    await complete();
    await expect.poll(async () => (await text()).length, patience).toBeGreaterThan(prompt.length);
  });
}
