import { deviceWith, sharedDevice } from '../backends.ts';

/**
 * The shared device with kernels that compute nothing: for tests that count what a device is asked for, which is the same then,
 * and need not wait for software to compile.
 */
export async function deviceOfEmptyKernels(): Promise<GPUDevice> {
  const device = await sharedDevice();
  return deviceWith(device, {
    createShaderModule: (given) => device.createShaderModule({ ...given, code: emptied(given.code) }),
  });
}

/** The same bindings, overrides and workgroups: `main` names each binding that it has come to, so that the layout is what it was. */
function emptied(code: string): string {
  const functions = new Map(
    [...code.replace(/\/\/.*/g, '').matchAll(/^fn (\w+)[^{]*\{.*?^\}/gms)].map(([text, name]) => [name!, text]),
  );
  const main = functions.get('main')!;
  const reached = new Set([main]);
  for (const text of reached) {
    for (const [word] of text.matchAll(/(?<![.\w])\w+/g)) if (functions.has(word)) reached.add(functions.get(word)!);
  }
  const words = new Set([...reached].flatMap((text) => text.match(/(?<![.\w])\w+/g) ?? []));
  const bindings = [...code.matchAll(/@binding\(\d+\) var<[^>]+> (\w+)/g)].map(([, name]) => name!);
  const named = bindings.filter((name) => words.has(name)).map((name) => `_ = &${name};`);
  const begin = code.indexOf('{', code.indexOf('fn main(')) + 1;
  return `${code.slice(0, begin)} ${named.join(' ')} ${code.slice(code.indexOf('\n}', begin))}`;
}
