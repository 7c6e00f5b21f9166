import type { Edit, TracedTensor } from '../../../index.ts';

/** A tensor as CSV: a line a row, its indices first, then the numbers of its last axis, whole. */
export function csvOf({ data, shape }: TracedTensor): string {
  const width = shape.at(-1) ?? 1;
  const outer = shape.slice(0, -1);
  const head = [...outer.map((_, axis) => `axis${axis}`), ...Array.from({ length: width }, (_, i) => String(i))];
  const lines = [head.join(',')];
  for (let row = 0; row * width < data.length; row++) {
    let rest = row;
    const indices = outer.map(() => 0);
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      indices[axis] = rest % outer[axis]!;
      rest = Math.floor(rest / outer[axis]!);
    }
    lines.push([...indices, ...data.subarray(row * width, (row + 1) * width)].join(','));
  }
  return `${lines.join('\n')}\n`;
}

export interface Asked {
  /** What `load` takes; undefined for files at hand, which no code can name. */
  source: string | undefined;
  ids: readonly number[];
  text: string;
  edits: readonly Edit[];
  tensor: string;
  index: readonly number[];
}

const isValues = (value: unknown): value is ArrayLike<number> => ArrayBuffer.isView(value);

/** JavaScript that prints the number: the same model, the same tokens, the same changes. */
export function codeOf({ source, ids, text, edits, tensor, index }: Asked): string {
  const plain = (_: string, value: unknown) => (isValues(value) ? Array.from(value) : value);
  const told = JSON.stringify(text).replace(/[\u2028\u2029]/g, ' ');
  return `import { load } from 'vitrine';

const model = await load(${source === undefined ? 'files' : JSON.stringify(source)});
const ids = ${JSON.stringify(ids)}; // ${told}
const trace = await model.trace(ids, {
  capture: [${JSON.stringify(tensor)}],
  edits: ${JSON.stringify(edits, plain)},
});
const { data, shape } = trace.get(${JSON.stringify(tensor)});
const at = ${JSON.stringify(index)}.reduce((place, i, axis) => place * shape[axis] + i, 0);
console.log(data[at]);
`;
}
