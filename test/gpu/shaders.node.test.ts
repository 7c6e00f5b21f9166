import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shortShader } from '../../scripts/library.ts';
import { fetchShaders, sourceOf } from '../../src/gpu/shader.ts';

const folder = join(import.meta.dirname, '../../shaders');
const shaders = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.wgsl'))
  .map((name) => ({ name, source: readFileSync(join(folder, name), 'utf8').replace(/\/\/.*/g, '') }));

const declared = (kind: 'const' | 'override', source: string) =>
  [...source.matchAll(new RegExp(`^${kind}\\s+(\\w+)`, 'gm'))].map(([, name]) => name);
const everywhere = shaders.map(({ source }) => source).join('\n');
const overrides = declared('override', everywhere);
const shared = declared('const', everywhere).filter((name) => !overrides.includes(name));

const arrays = shaders.flatMap(({ name, source }) =>
  [...source.matchAll(/var<workgroup>\s+(\w+)\s*:\s*(array[^;]+)/g)].map(([, array, type]) => ({
    array: `${name}: ${array}`,
    sizes: type!.match(/\b[A-Z][A-Z_]+\b/g) ?? [],
    constants: [...declared('const', source), ...shared],
  })),
);

test.each(arrays)(
  '$array has a size that the compiler knows: by an override, Safari is said to give it none',
  (found) => {
    expect(found.sizes.filter((size) => !found.constants.includes(size))).toEqual([]);
  },
);

test('arrays were found', () => expect(arrays.length).toBeGreaterThan(10));

const token = /[a-z_]\w*|\d[\w.]*(?:e[-+]\d+\w*)?|&&|\|\||--|\+\+|==|!=|<=|>=|<<|>>|->|[-+*/%&|^]=|\/\*|\S/gi;

test('the short text of a shader has the same tokens on the same lines', () => {
  const read = (text: string) => text.split('\n').map((line) => line.match(token) ?? []);
  for (const { name, source } of shaders) {
    const short = shortShader(readFileSync(join(folder, name), 'utf8'));
    expect(read(short), name).toEqual(read(source));
    expect(short.length).toBeLessThanOrEqual(source.length);
  }
  expect(read(shortShader('let a = b - -c; // d\n  x *= (y + 1) / z;'))).toEqual(
    read('let a = b - -c;\nx *= (y + 1) / z;'),
  );
});

test('every shader is found, those that not every program has once they are fetched', async () => {
  const names = shaders.map(({ name }) => name).filter((name) => !name.startsWith('adjoint'));
  expect(() => sourceOf('rotate.wgsl')).toThrow('There is no shader rotate.wgsl');
  await fetchShaders(names);
  for (const name of names) expect(sourceOf(name).length, name).toBeGreaterThan(0);
});
