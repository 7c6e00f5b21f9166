import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Readable } from 'node:stream';
import type { Tab } from './tab.ts';

interface Look {
  width?: number;
  height?: number;
  dark?: boolean;
  /** As in Safari; WebKitGTK has none by itself. */
  sharedMemory?: boolean;
}

/** WebKitGTK on a screen that nobody sees, driven by WebDriver as its standard has it: JSON over HTTP. */
export async function openWebKit(
  { driver, screen }: { driver: string; screen: string },
  { width = 1280, height = 900, dark = false, sharedMemory = true }: Look = {},
): Promise<Tab> {
  const processes: ChildProcess[] = [];
  const end = () => {
    for (const child of processes.reverse()) child.kill();
  };
  try {
    const options = ['-displayfd', '3', '-screen', '0', '2000x1400x24', '-nolisten', 'tcp'];
    const shown = spawn(screen, options, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    processes.push(shown);
    const ended = once(shown, 'exit').then(() => Promise.reject(new Error(`${screen} has shown no screen.`)));
    const [display] = (await Promise.race([once(shown.stdio[3] as Readable, 'data'), ended])) as [Buffer];
    const port = await freePort();
    const { LD_LIBRARY_PATH, ...inherited } = process.env; // what Dawn needs is Chromium's, and not for WebKit
    const env = {
      ...inherited,
      DISPLAY: `:${display.toString().trim()}`,
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', // its sandbox needs rights that containers do not give
      ...(dark && { GTK_THEME: 'Adwaita:dark' }),
      ...(sharedMemory && { JSC_useSharedArrayBuffer: '1' }),
    };
    processes.push(spawn(driver, [`--port=${port}`], { stdio: 'ignore', env }));
    return await openSession(`http://127.0.0.1:${port}`, { width, height }, end);
  } catch (error) {
    end();
    throw error;
  }
}

async function openSession(server: string, size: { width: number; height: number }, end: () => void): Promise<Tab> {
  for (let tries = 0; !(await fetch(`${server}/status`).catch(() => undefined)); tries++) {
    if (tries === 600) throw new Error('WebKitWebDriver does not answer.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const call = async (method: string, path: string, body?: object): Promise<never> => {
    const response = await fetch(server + path, { method, body: body && JSON.stringify(body) });
    const { value } = (await response.json()) as { value: never };
    if (!response.ok) throw new Error(`WebKit: ${(value as { message: string }).message}`);
    return value;
  };
  const { sessionId } = await call('POST', '/session', { capabilities: { alwaysMatch: {} } });
  const session = `/session/${sessionId}`;
  await call('POST', `${session}/timeouts`, { script: 240_000, pageLoad: 240_000 });
  await call('POST', `${session}/window/rect`, size);
  return {
    goto: (url) => call('POST', `${session}/url`, { url }),
    async run(work, ...args) {
      const script = `const done = arguments[1];
        Promise.resolve().then(() => (${work})(...arguments[0])).then((result) => done({ result }), (error) => done({ error: String(error) }));`;
      const { result, error } = await call('POST', `${session}/execute/async`, { script, args: [args] });
      if (error !== undefined) throw new Error(error);
      return result;
    },
    screenshot: async () => Buffer.from(await call('GET', `${session}/screenshot`), 'base64'),
    async close() {
      await call('DELETE', session).catch(() => {});
      end();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
