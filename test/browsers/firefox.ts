import puppeteer from 'puppeteer-core';
import type { Tab } from './tab.ts';

interface Look {
  width?: number;
  height?: number;
  dark?: boolean;
}

/**
 * A headless Firefox, driven by WebDriver BiDi. Its WebGPU runs on the software Vulkan of vitest.config.ts where there is one
 * (SwiftShader compiles these shaders in a tenth of the time that Mesa's takes), else on the system's.
 */
export async function openFirefox(
  executablePath: string,
  { width = 1280, height = 900, dark }: Look = {},
): Promise<Tab> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    defaultViewport: { width, height },
    protocolTimeout: 240_000,
    extraPrefsFirefox: {
      'dom.webgpu.enabled': true,
      'gfx.webgpu.ignore-blocklist': true,
      ...(dark && { 'layout.css.prefers-color-scheme.content-override': 0 }),
    },
  });
  const [page = await browser.newPage()] = await browser.pages();
  return {
    goto: async (url) => void (await page.goto(url)),
    run: (work, ...args) => page.evaluate(work as never, ...args) as never,
    screenshot: () => page.screenshot(),
    close: () => browser.close(),
  };
}
