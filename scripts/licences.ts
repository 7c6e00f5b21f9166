// The licences of what is bundled, as their packages have them: made with each build, so that none is forgotten.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Plugin } from 'vite';

/** The folder of the package that a module or asset comes from; undefined for our own. */
function packageOf(path: string): string | undefined {
  if (!path.includes('/node_modules/')) return undefined;
  let folder = dirname(path.replace(/[?#].*$/, '').replace(/^\0/, ''));
  // A folder inside a package may have a package.json too, without a name.
  while (basename(dirname(folder)) !== 'node_modules' && !basename(dirname(folder)).startsWith('@'))
    folder = dirname(folder);
  return existsSync(join(folder, 'package.json')) ? folder : undefined;
}

function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  if (texts.length === 0) throw new Error(`${name} is bundled, and has no licence text in ${folder}.`);
  const quoted = texts.map((file) => readFileSync(join(folder, file), 'utf8').trimEnd().replace(/^/gm, '    '));
  return `## ${name} ${version} (${license})\n\n${quoted.join('\n\n')}\n`;
}

/**
 * Writes LICENSES.md beside the build. `plugin` is for the build, `worker` for those of its workers, which run first.
 * @param also packages whose code is in there by another way than imports
 */
export function licences(also: readonly string[] = []): { plugin: Plugin; worker: Plugin } {
  const folders = new Set(also.map((name) => join(import.meta.dirname, '../node_modules', name)));
  const note = (path: string) => {
    const folder = packageOf(path.replaceAll('\\', '/'));
    if (folder) folders.add(folder);
  };
  const transform: Plugin['transform'] = { filter: { id: /node_modules/ }, handler: (_, id) => note(id) };
  return {
    worker: { name: 'licences-of-workers', transform },
    plugin: {
      name: 'licences',
      apply: 'build',
      transform,
      generateBundle(_, bundle) {
        for (const asset of Object.values(bundle)) {
          if (asset.type === 'asset')
            for (const path of asset.originalFileNames) note(join(import.meta.dirname, '..', path));
        }
        const title =
          '# What is bundled here\n\nVitrine itself is under the MIT licence. It contains code and files of these packages.\n';
        const source = [title, ...[...folders].sort().map(licenceOf)].join('\n');
        this.emitFile({ type: 'asset', fileName: 'LICENSES.md', source });
      },
    },
  };
}
