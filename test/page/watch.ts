import type { Page } from 'playwright';

interface Watched {
  /** Names of the calls to the engine's worker, in order; of what is asked of a model, what that is. */
  names: string[];
  /** The worker's ends of those that are not over. */
  open: Set<MessagePort>;
}
declare const calls: Watched;
declare const passTime: (ms: number) => void;

/** Notes what a page that is opened from now on asks of its worker. */
export function watchCalls(page: Page): Promise<unknown> {
  return page.addInitScript(() => {
    const names: string[] = [];
    const open = new Set<MessagePort>();
    const others = new WeakMap<MessagePort, MessagePort>();
    const { postMessage } = Worker.prototype;
    const { close } = MessagePort.prototype;
    globalThis.MessageChannel = class extends MessageChannel {
      constructor() {
        super();
        others.set(this.port1, this.port2);
      }
    };
    Worker.prototype.postMessage = function (
      message: { name?: string; args?: unknown[]; port?: MessagePort },
      ...rest: unknown[]
    ) {
      if (message.name && message.port) {
        names.push(message.name === 'ask' ? String(message.args![1]) : message.name);
        open.add(message.port);
      }
      return Reflect.apply(postMessage, this, [message, ...rest]);
    };
    // A call closes its end when it is over, whether it was ever posted or not.
    MessagePort.prototype.close = function () {
      open.delete(others.get(this) ?? this);
      return close.call(this);
    };
    Object.assign(globalThis, { calls: { names, open } });
  });
}

export const callNames = (page: Page): Promise<string[]> => page.evaluate(() => calls.names);

/** Until every call has ended. */
export const answered = (page: Page): Promise<unknown> => page.waitForFunction(() => calls.open.size === 0);

/** Stops the clock by which the page tells keystrokes of one burst from others; `pass` moves it on. */
export function stopClock(page: Page): Promise<void> {
  return page.evaluate(() => {
    let now = performance.now();
    performance.now = () => now;
    Object.assign(globalThis, {
      passTime(ms: number) {
        now += ms;
      },
    });
  });
}

export const pass = (page: Page, ms: number): Promise<void> => page.evaluate((ms) => passTime(ms), ms);

/** Until the page has drawn what it was told. */
export const frame = (page: Page): Promise<unknown> =>
  page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
