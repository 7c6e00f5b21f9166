import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import type { models } from '../../src/load/cached-models.ts';
import type { drain } from './drain.ts';
import { type Contents, hub, serve, type TestServer } from './server.ts';
import { encodeSafetensors, tinyCheckpoint } from './tiny-checkpoint.ts';

/** What drain.ts puts into a page. */
export interface Vitrine {
  drain: typeof drain;
  models: typeof models;
}

/** The model that the site's hub has. */
export const id = 'owner/tiny-gpt2';

const { config, tensors } = tinyCheckpoint({ nEmbd: 128, vocabSize: 64_000 }); // 33 MB
const files = { 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors) };
const page = '<!doctype html><script type="module" src="/drain.js"></script>';

/** The loader without a model to run, as a script for pages and workers. */
export async function buildDrain(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      lib: { entry: fileURLToPath(new URL('drain.ts', import.meta.url)), formats: ['es'] },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  return (built as { output: { code: string }[] }[])[0]!.output[0]!.code;
}

/** A page that can load, and a hub with a model, on one server. */
export async function drainSite(): Promise<{
  server: TestServer;
  /** Bytes of the weights. */
  size: number;
  /** The model as the cache should list it when it is whole. */
  whole: Awaited<ReturnType<Vitrine['models']['list']>>[number];
}> {
  const script = await buildDrain();
  const repository = hub(id, files);
  const own: Record<string, [string, string]> = { '/': ['text/html', page], '/drain.js': ['text/javascript', script] };
  const server = await serve(repository.contents as Contents, (request, response) => {
    const [type, text] = own[request.url!] ?? [];
    if (type === undefined) return repository.answer(request, response);
    return !!response.writeHead(200, { 'Content-Type': type }).end(text);
  });
  const size = files['model.safetensors'].length;
  return {
    server,
    size,
    whole: { name: `${server.url}${id}`, bytes: size + files['config.json'].length, complete: true },
  };
}
