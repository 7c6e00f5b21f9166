// `npm run test:hosts`: packs the package and installs, builds and runs it in other people's projects, one for each bundler and
// kind of host. `-- --only vite,next-webpack` picks some, `-- --list` names them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hosts, installAlone, makeFolder, openBrowser, pack } from '../test/hosts/hosts.mjs';
import { command } from '../test/hosts/project.mjs';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: { only: { type: 'string' }, list: { type: 'boolean' }, 'no-build': { type: 'boolean' } },
});

/** A name picks itself and whatever begins with it: `next` is both of Next's bundlers. */
function chosen() {
  const names = Object.keys(hosts);
  if (!values.only) return names;
  const picks = values.only.split(',');
  const unknown = picks.find((pick) => !names.some((name) => name.startsWith(pick)));
  if (unknown) throw new Error(`There is no host ${unknown}; there are ${names.join(', ')}.`);
  return names.filter((name) => picks.some((pick) => name === pick || name.startsWith(`${pick}-`)));
}

function show(rows) {
  const cells = rows.map(({ host, visit, seconds, summary, problems }) => [
    problems.length ? 'FAILED' : 'passed',
    host,
    visit,
    summary,
    `${seconds.toFixed(0)} s`,
  ]);
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  for (const row of cells)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
}

async function run() {
  const names = chosen();
  if (values.list) return console.log(names.join('\n'));
  if (!values['no-build'] || !existsSync(join(root, 'dist/vitrine.js')))
    await command(root, 'npm', ['run', 'build:library']);
  const work = await makeFolder();
  const browser = await openBrowser();
  const rows = [];
  try {
    const tarball = await pack(work.folder);
    const alone = await makeFolder();
    const installed = await installAlone(alone.folder, tarball);
    const extra = installed.filter((name) => name !== 'node_modules/vitrine');
    rows.push({
      host: 'package',
      visit: 'installed',
      seconds: 0,
      summary: `${installed.length} package`,
      problems: extra.map((name) => `${name} came with it`),
    });
    for (const name of names) {
      console.log(`\n=== ${name} ===`);
      for (const row of await hosts[name]({
        name,
        tarball,
        browser,
        dist: join(alone.folder, 'node_modules/vitrine/dist'),
      })) {
        rows.push({ host: name, ...row });
        console.log(`${row.problems.length ? 'FAILED' : 'passed'} ${row.visit}: ${row.summary}`);
        for (const problem of row.problems) console.log(`  ${problem}`);
      }
    }
    await alone.remove();
  } finally {
    await browser.close();
    await work.remove();
  }
  console.log('');
  show(rows);
  const failed = rows.filter(({ problems }) => problems.length).length;
  console.log(`\n${rows.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

try {
  await run();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
