// Brings a fresh clone to the point where it can be built and tested: npm packages, and browsers for the tests.
// Plain Node, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findBrowser, findFirefox, findHeadless, findWebKit } from './browser.mjs';

const root = join(import.meta.dirname, '..');

/** Runs a command in a folder, by default the project's, with its output shown; true if it succeeded. */
function run(command, args, env = {}, cwd = root) {
  console.log(`$ ${command} ${args.join(' ')}`);
  const windows = process.platform === 'win32'; // npm is a .cmd there, which needs a shell
  const result = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    shell: windows,
    env: { ...process.env, ...env },
  });
  return result.status === 0;
}

const read = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {});

function packagesOf(lockFile) {
  return read(lockFile).packages ?? {};
}

const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'];

/** What was added to package.json by hand is not yet in the lock file. */
function lockIsCurrent(folder) {
  const wanted = read(join(folder, 'package.json'));
  const locked = packagesOf(join(folder, 'package-lock.json'))[''] ?? {};
  return kinds.every((kind) =>
    Object.entries(wanted[kind] ?? {}).every(([name, range]) => locked[kind]?.[name] === range),
  );
}

/** npm notes in node_modules what it installed; whatever the lock file wants and is not there is out of date. */
function packagesAreCurrent(folder) {
  const installed = packagesOf(join(folder, 'node_modules/.package-lock.json'));
  return Object.entries(packagesOf(join(folder, 'package-lock.json'))).every(
    ([path, wanted]) =>
      path === '' || wanted.optional || (installed[path]?.version === wanted.version && existsSync(join(folder, path))),
  );
}

/** Installs the npm packages of a folder's package-lock.json, and what its package.json has beyond, unless they are there. */
export function installPackages(folder = root) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Error(`Node ${process.versions.node} is too old: Vitrine is built with Node 20.19 or newer.`);
  }
  const command = lockIsCurrent(folder) ? 'ci' : 'install';
  if (command === 'ci' && packagesAreCurrent(folder)) return;
  if (!run('npm', [command, '--no-audit', '--no-fund'], {}, folder)) {
    throw new Error('npm could not install the packages. Is the npm registry reachable from here?');
  }
}

const apt = ['/usr/bin/apt-get', '/bin/apt-get'].some(existsSync);
const isRoot = process.getuid?.() === 0;

/** Debian's packages, where they may be installed. */
function installDebian(...packages) {
  if (!isRoot || !apt) return;
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  if (!run('apt-get', ['update', '-qq'], quiet)) return;
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], quiet);
}

/** Finds a Chromium for the tests, or installs one: Debian's when root, with the one that has no windows, otherwise Playwright's. */
export async function installBrowser() {
  const found = await findHeadless();
  const isDebians = found === '/usr/bin/chromium' && isRoot && apt && !process.env.CHROMIUM_PATH;
  if (found && !isDebians) return;
  console.log('Installing a Chromium for the tests (CHROMIUM_PATH names your own).');
  installDebian('chromium', 'chromium-headless-shell');
  if (!(await findBrowser()))
    run('npx', ['playwright', 'install', ...(isRoot && apt ? ['--with-deps'] : []), 'chromium']);
  if (!(await findBrowser())) {
    throw new Error('No Chromium could be installed. Install one and name it with CHROMIUM_PATH=/path/to/chromium.');
  }
}

/** Firefox and WebKit for their smoke tests: Debian's when root. Without one its tests are skipped, and this says so. */
export function installOtherBrowsers() {
  const missing = () => ({
    ...(!findFirefox() && { 'firefox-esr': 'Firefox' }),
    ...(!findWebKit() && { webkit: 'WebKit' }),
  });
  const packages = Object.keys(missing()).flatMap((name) =>
    name === 'webkit' ? ['webkit2gtk-driver', 'xvfb', 'dbus'] : [name],
  );
  if (packages.length > 0) installDebian(...packages);
  for (const name of Object.values(missing())) {
    console.log(`No ${name} here and none could be installed: its tests are skipped.`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    installPackages();
    if (!process.argv.includes('--no-browser')) {
      await installBrowser();
      installOtherBrowsers();
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
