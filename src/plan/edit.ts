import { badOption, type VitrineError } from './error.ts';
import { isInternal } from './internal.ts';
import { tensorNamed } from './lens-names.ts';
import { editAxesOf, type Plan, type Step, stepOutputs, type TensorEdit, type TensorSpec } from './plan.ts';

/** One edit of a tensor, applied where the tensor is made. Exactly one of `set`, `scale` and `add`. */
export interface Edit {
  /** A tensor's name (no glob), as `model.tensors()` lists it. */
  name: string;
  /** A position of the text (negative: from its end), or several; absent: all, those generated later too. */
  position?: number | readonly number[];
  /** A head or several, where the tensor has heads; absent: all. */
  head?: number | readonly number[];
  /**
   * New values: one number for all, or the edited part in the order of the tensor's own shape, or the values of one
   * position, used at each.
   */
  set?: number | ArrayLike<number>;
  /** Factor: a number, or values like `set`. */
  scale?: number | ArrayLike<number>;
  add?: number | ArrayLike<number>;
}

/**
 * The plan with edits as steps, each right behind the step that makes its tensor.
 * @param length positions in the text, for negative positions and for arrays that cover all of them
 * @param sourceLength those of the text that the encoder reads, where there is one
 * @throws VitrineError `bad-option` for a name the plan lacks, a position or head out of range, or a wrong count of values
 */
export function withEdits(plan: Plan, edits: readonly Edit[], length: number, sourceLength = 0): Plan {
  const encoded = new Set(plan.encoder?.flatMap(stepOutputs));
  const byTensor = new Map<string, TensorEdit[]>();
  for (const edit of edits) {
    const name = tensorNamed(plan, edit.name);
    const spec = plan.tensors.get(name);
    if (!spec || isInternal(name)) {
      throw bad(`edits names the tensor ${JSON.stringify(edit.name)}, which this model does not have.`);
    }
    const lengths = { rows: encoded.has(name) ? sourceLength : length, source: sourceLength };
    byTensor.set(name, [...(byTensor.get(name) ?? []), prepare(edit, spec, lengths)]);
  }
  const edited = (steps: readonly Step[]) =>
    steps.flatMap((step) => [
      step,
      ...stepOutputs(step).flatMap((tensor) => {
        const own = byTensor
          .get(tensor)
          ?.filter(({ positions, heads }) => positions?.length !== 0 && heads?.length !== 0);
        return own?.length ? [{ op: 'edit' as const, tensor, edits: own }] : [];
      }),
    ]);
  return { ...plan, ...(plan.encoder && { encoder: edited(plan.encoder) }), steps: edited(plan.steps) };
}

/** @param lengths of its part's text, and of the text that is encoded */
function prepare(edit: Edit, spec: TensorSpec, lengths: { rows: number; source: number }): TensorEdit {
  const { rows: length } = lengths;
  const kinds = (['set', 'scale', 'add'] as const).filter((kind) => edit[kind] !== undefined);
  const kind = kinds[0];
  if (!kind || kinds.length > 1) throw bad(`The edit of ${edit.name} needs exactly one of set, scale and add.`);
  const axes = editAxesOf(spec);
  const positions = indices(edit.position, length, `position of the edit of ${edit.name}`);
  if (edit.head !== undefined && axes.nHead === undefined) {
    throw bad(`The edit of ${edit.name} names a head, but the tensor has none.`);
  }
  const heads = indices(edit.head, axes.nHead ?? 1, `head of the edit of ${edit.name}`);
  const given = edit[kind]!;
  if (typeof given === 'number') return { kind, positions, heads, values: given, shared: true };

  const nHeads = heads?.length ?? axes.nHead ?? 1;
  const nPositions = positions?.length ?? length;
  const inner = axes.inner === 'context' ? length : axes.inner === 'source' ? lengths.source : (axes.inner as number);
  const one = nHeads * inner;
  if (given.length === one) return { kind, positions, heads, values: Float32Array.from(given), shared: true };
  if (given.length !== one * nPositions) {
    throw bad(
      `The edit of ${edit.name} has ${given.length} values; expected 1, ${one} (one position) or ${one * nPositions}.`,
    );
  }
  const values = axes.keys ? positionsFirst(given, nHeads, nPositions, inner) : Float32Array.from(given);
  const listed = positions ?? Array.from({ length }, (_, i) => i);
  return { kind, positions: listed, heads, values, shared: false };
}

/** [heads, positions, inner] -> [positions, heads, inner] */
function positionsFirst(values: ArrayLike<number>, nHeads: number, nPositions: number, inner: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const head = Math.floor(i / (nPositions * inner));
    const position = Math.floor(i / inner) % nPositions;
    turned[(position * nHeads + head) * inner + (i % inner)] = values[i]!;
  }
  return turned;
}

function indices(value: number | readonly number[] | undefined, size: number, what: string): number[] | undefined {
  if (value === undefined) return undefined;
  const found = (typeof value === 'number' ? [value] : [...value]).map((index) => {
    const resolved = index < 0 ? size + index : index;
    if (!Number.isInteger(index) || resolved < 0 || resolved >= size) {
      throw bad(`The ${what} is ${index}; expected an integer from ${-size} to ${size - 1}.`);
    }
    return resolved;
  });
  const twice = found.find((index, i) => found.indexOf(index) !== i);
  if (twice !== undefined) throw bad(`The ${what} names ${twice} twice.`);
  return found;
}

const bad = (message: string): VitrineError => badOption(message, 'model.tensors() lists every name with its shape.');
