// A page that is opened from the disk (file://): browsers import no modules there, so that all is bundled into classic scripts,
// the worker's as a text, and the model is handed over by its visitor.
import { join } from 'node:path';
import { attempt, models } from './attempt.mjs';
import { html } from './plain.mjs';
import { binary, command, makeFolder, makeProject } from './project.mjs';
import { listen, outcome } from './visit.mjs';

const files = {
  'worker.js': "import 'vitrine/engine';\n",
  'main.js': `import { load } from 'vitrine';
import { EngineWorker } from 'vitrine/worker';
import { check } from './check.js';
import script from './worker.bundle.txt';
const own = () => new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
document.querySelector('input').onchange = ({ target: { files } }) =>
  check({ page: () => load(files), worker: () => new EngineWorker(own()).load(files), bare: () => new EngineWorker().load(files) });
`,
  'index.html': html('<input type="file" multiple><script src="main.bundle.js"></script>'),
};

async function visitDisk({ tarball, dist, browser }) {
  const { folder, remove } = await makeFolder();
  const bare = { code: 'no-worker', message: /new EngineWorker\(worker\)/ };
  try {
    await makeProject(folder, tarball, { packages: ['esbuild@0.28'], files });
    const bundle = (entry, out) =>
      command(folder, binary(folder, 'esbuild'), [entry, '--bundle', '--log-level=error', `--outfile=${out}`]);
    await bundle('worker.js', 'worker.bundle.txt');
    await bundle('main.js', 'main.bundle.js');
    const wanted = { name: 'file://', isolated: false, expects: { bare } };
    const row = await attempt(dist, wanted, async () => {
      const page = await browser.newPage();
      const errors = listen(page);
      await page.goto(`file://${folder}/index.html`);
      const parts = ['config.json', 'model.safetensors'].map((name) => join(models, 'tiny-tales', name));
      await page.setInputFiles('input', parts);
      return outcome(page, errors).finally(() => page.close());
    });
    return [row];
  } finally {
    await remove();
  }
}

export const disk = { disk: visitDisk };
