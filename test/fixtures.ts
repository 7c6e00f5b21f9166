/** Reads test data, in Node from disk and in the browser from Vitest's server. Paths are relative, `tiny-gpt2/logits.f32`. */

const root = new URL('..', import.meta.url);

async function read(path: string): Promise<Uint8Array> {
  if (typeof process !== 'undefined' && process.versions?.node) {
    const { readFile } = await import('node:fs/promises');
    const bytes = await readFile(new URL(path, root));
    return new Uint8Array(bytes); // own buffer: a pooled one may begin at an odd offset
  }
  const response = await fetch(path.startsWith('public/') ? path.slice('public'.length) : `/${path}`);
  // Vite answers a missing file with the page's HTML and status 200.
  const html = response.headers.get('content-type')?.startsWith('text/html') && !path.endsWith('.html');
  if (!response.ok || html) throw new Error(`no file ${path} (status ${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A file of test/fixtures/. */
export function readFixture(path: string): Promise<Uint8Array> {
  return read(`test/fixtures/${path}`);
}

/** A JSON file of test/fixtures/. */
export async function readFixtureJson<T>(path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await readFixture(path))) as T;
}

/** A file of public/models/, e.g. `tiny-tales/model.safetensors`. */
export function readModelFile(path: string): Promise<Uint8Array> {
  return read(`public/models/${path}`);
}
