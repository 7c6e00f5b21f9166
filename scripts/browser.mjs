// Where the tests' Chromium is, and the software Vulkan driver (SwiftShader) that it brings along.
import { existsSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** WebGPU on the software adapter, and nothing that goes to the network on its own. */
export const chromiumFlags = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

/** Path of a Chromium to test with (CHROMIUM_PATH, the system's, or Playwright's own), or undefined. */
export async function findBrowser() {
  const given = process.env.CHROMIUM_PATH;
  if (given) {
    if (!existsSync(given)) throw new Error(`CHROMIUM_PATH is ${given}, but there is no such file.`);
    return given;
  }
  if (existsSync('/usr/bin/chromium')) return '/usr/bin/chromium';
  try {
    const { chromium } = await import('playwright');
    const own = chromium.executablePath();
    return existsSync(own) ? own : undefined;
  } catch {
    return undefined; // Playwright is not installed yet
  }
}

const headless = '/usr/bin/chromium-headless-shell';

/** The Chromium that has no windows: a page costs half of what it costs in the whole one, which is taken where this is not there. */
export async function findHeadless() {
  return !process.env.CHROMIUM_PATH && existsSync(headless) ? headless : findBrowser();
}

const onPath = (name) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(existsSync);

/** Path of a Firefox to test with (FIREFOX_PATH or the system's), or undefined. */
export function findFirefox() {
  const { FIREFOX_PATH } = process.env;
  if (FIREFOX_PATH && !existsSync(FIREFOX_PATH)) throw new Error(`FIREFOX_PATH is ${FIREFOX_PATH}: no such file.`);
  return FIREFOX_PATH || onPath('firefox-esr') || onPath('firefox');
}

/** WebKit's driver and the screen that its windows need (WebKitGTK; Linux only), or undefined. */
export function findWebKit() {
  const [driver, screen] = [onPath('WebKitWebDriver'), onPath('Xvfb')];
  return driver && screen ? { driver, screen } : undefined;
}

/**
 * Environment in which Dawn for Node finds SwiftShader: the Vulkan loader and driver lie beside the browser. Linux
 * only (elsewhere Dawn needs no Vulkan); VITRINE_GPU=native leaves the choice to the system.
 */
export async function softwareVulkan() {
  if (process.platform !== 'linux' || process.env.VITRINE_GPU === 'native') return {};
  const browser = await findBrowser();
  if (!browser) return {};
  const folders = [dirname(realpathSync(browser)), '/usr/lib/chromium', '/usr/lib64/chromium-browser'];
  const folder = folders.find((candidate) => existsSync(join(candidate, 'vk_swiftshader_icd.json')));
  if (!folder) return {};
  const driver = join(folder, 'vk_swiftshader_icd.json');
  const libraries = [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':');
  const { VK_ICD_FILENAMES = driver, XDG_RUNTIME_DIR = tmpdir() } = process.env; // without the latter it complains
  return { VK_ICD_FILENAMES, XDG_RUNTIME_DIR, LD_LIBRARY_PATH: libraries };
}
