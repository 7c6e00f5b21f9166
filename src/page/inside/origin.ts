import type { Edit, TracedTensor } from '../../index.ts';
import { activate } from '../../plan/activate.ts';
import { tensorNamed } from '../../plan/lens-names.ts';
import { type Activation, type Axis, type Plan, type Step, stepOutputs, widthOf } from '../../plan/plan.ts';
import { momentsOf, rowOf as rowIn } from '../shares.ts';
import type { Cell } from './looking.ts';

/** The numbers an explanation is made of: a run's tensors and logits, and the model's weights. */
export interface Numbers {
  readonly plan: Plan;
  readonly ids: readonly number[];
  readonly edits: readonly Edit[];
  tensor(name: string): Promise<TracedTensor>;
  /** [vocabSize] */
  logits(position: number): Promise<Float32Array>;
  /** One row of a weight, as the device holds it. */
  weightRow(name: string, row: number): Promise<Float32Array>;
}

/** A number with its place. */
export interface Operand {
  cell: Cell;
  value: number;
}

/** Where a number comes from: the equation of the step that made it, with the numbers that went in. */
export interface Origin {
  /** As the model has it. */
  value: number;
  /** The op of the plan, of a lookup by what (`embed position`); undefined for a weight, which comes from the checkpoint. */
  op: string | undefined;
  /** In symbols. */
  formula: string;
  /** With its operands, in the order of the formula. */
  written: (string | Operand)[];
  /** Of a sum: every term, the largest first; a term is the product of its operands. */
  terms: { operands: Operand[]; value: number }[];
  /** The same number computed again from the operands, in float64. */
  result: number;
  /** The visitor's own edits of this tensor, which came after the equation. */
  edits: Edit[];
}

type Equation = Pick<Origin, 'formula' | 'written' | 'result'> & { terms?: Origin['terms'] };

/** Looks up the step that makes a cell and writes its equation out. */
export async function originOf(cell: Cell, numbers: Numbers): Promise<Origin> {
  if (cell.kind === 'weight') return weightOrigin(cell, numbers);
  const name = tensorNamed(numbers.plan, cell.name);
  const step = numbers.plan.steps.find((one) => stepOutputs(one).includes(name));
  if (!step) throw new Error(`No step of the model makes ${cell.name}.`);
  const value = await numberAt({ ...cell, name }, numbers);
  const equation = await equationOf(step, { ...cell, name }, numbers);
  const edits = numbers.edits.filter((edit) => {
    return (
      tensorNamed(numbers.plan, edit.name) === name && isAt(edit, cell.index, numbers.plan.tensors.get(name)!.shape)
    );
  });
  return { value, op: kindOf(step), terms: [], ...equation, edits };
}

/** What is said of a step; norms that do not take the mean off have other words. */
function kindOf(step: Step): string {
  switch (step.op) {
    case 'embed':
      return `embed ${step.tables[0]!.by}`;
    case 'binary':
      return step.kind;
    case 'norm':
      return step.centred ? 'norm' : 'rms';
    case 'normScale':
      return step.centred ? 'normScale' : 'rmsScale';
    default:
      return step.op;
  }
}

/** Whether an edit, of one head and of one row or of all, is of a cell of a tensor [rows, n], [rows, nHead, n] or [nHead, rows, keys]. */
function isAt({ head, position }: Edit, index: readonly number[], shape: readonly Axis[]): boolean {
  const rows = typeof shape[0] === 'number' ? 1 : 0;
  return (position === undefined || index[rows] === position) && (head === undefined || index[1 - rows] === head);
}

/** Whether the model has a cell for this text: another text or model may not have what was asked about. */
export function hasCell({ kind, name, index }: Cell, { plan, ids }: Pick<Numbers, 'plan' | 'ids'>): boolean {
  const weight = plan.weights.find((one) => one.name === name);
  const tensor = plan.tensors.get(tensorNamed(plan, name));
  const shape = kind === 'weight' ? weight && [weight.rows, weight.columns] : tensor?.shape;
  return shape !== undefined && index.every((i, axis) => i < (Number(shape[axis]) || ids.length)); // rows and keys
}

/** A cell's number. */
export async function numberAt({ kind, name, index }: Cell, numbers: Numbers): Promise<number> {
  const [row = 0, column = 0] = index;
  if (kind === 'weight') return (await numbers.weightRow(name, row))[column]!;
  if (name === 'logits') return (await numbers.logits(row))[column]!;
  const { data, shape } = await numbers.tensor(name);
  return data[index.reduce((at, i, axis) => at * shape[axis]! + i, 0)]!;
}

async function weightOrigin(cell: Cell, numbers: Numbers): Promise<Origin> {
  const value = await numberAt(cell, numbers);
  return { value, op: undefined, formula: '', written: [], terms: [], result: value, edits: [] };
}

async function equationOf(step: Step, cell: Cell, numbers: Numbers): Promise<Equation> {
  switch (step.op) {
    case 'embed':
      return lookup(step, cell, numbers);
    case 'binary':
      return ofTwo(step, cell, numbers);
    case 'normScale':
      return normScale(step, cell, numbers);
    case 'norm':
      return norm(step, cell, numbers);
    case 'linear':
      return linear(step, cell, numbers);
    case 'rotate':
      return rotate(step, cell, numbers);
    case 'attentionScores':
      return scores(step, cell, numbers);
    case 'maskedSoftmax':
      return softmax(step, cell, numbers);
    case 'attentionMix':
      return mix(step, cell, numbers);
    case 'activation':
      return activation(step, cell, numbers);
    default:
      throw new Error(`${cell.name} is made by ${step.op}, which the model's own plan does not have.`);
  }
}

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

const tensorCell = (name: string, ...index: number[]): Cell => ({ kind: 'tensor', name, index });
const weightCell = (name: string, row: number, column: number): Cell => ({
  kind: 'weight',
  name,
  index: [row, column],
});

async function operand(cell: Cell, numbers: Numbers): Promise<Operand> {
  return { cell, value: await numberAt(cell, numbers) };
}

/** All of a tensor's numbers at one row. */
async function rowOf(name: string, row: number, numbers: Numbers): Promise<Float32Array> {
  return rowIn(await numbers.tensor(name), row);
}

/** The last axis at a row, or at a row and a head, each of which may be normed by itself. */
async function vectorAt(name: string, [row = 0, head]: readonly number[], numbers: Numbers): Promise<Float32Array> {
  const tensor = await numbers.tensor(name);
  const all = rowIn(tensor, row);
  const width = tensor.shape.at(-1)!;
  return head === undefined ? all : all.subarray(head * width, (head + 1) * width);
}

/** A plan as it is written looks one table up at a time. */
async function lookup({ tables: [table] }: Of<'embed'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const [row = 0, column = 0] = index;
  const { weight, by, first = 0, scale = 1 } = table!;
  const number = by === 'token' ? numbers.ids[row]! : by === 'position' ? row : 0;
  const source = await operand(weightCell(weight, first + number, column), numbers);
  const formula = `${weight}[${by}, j]`;
  if (scale === 1) return { formula, written: [source], result: source.value };
  return { formula: `${formula} × scale`, written: [source, ` × ${digits(scale)}`], result: source.value * scale };
}

async function ofTwo({ kind, ...step }: Of<'binary'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const a = await operand(tensorCell(step.a, ...index), numbers);
  const b = await operand(tensorCell(step.b, ...index), numbers);
  if (kind === 'add') return { formula: 'a + b', written: [a, ' + ', b], result: a.value + b.value };
  return { formula: 'a × b', written: [a, ' × ', b], result: a.value * b.value };
}

async function normScale(step: Of<'normScale'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const of = index.slice(0, -1);
  const input = await vectorAt(step.input, of, numbers);
  const { mean, variance } = momentsOf(input, step.centred);
  const terms = [...input].map((value, j) => {
    const share = (value - mean) ** 2 / input.length;
    return { operands: [{ cell: tensorCell(step.input, ...of, j), value }], value: share };
  });
  return {
    formula: `√( Σⱼ ${step.centred ? '(xⱼ − mean)²' : 'xⱼ²'} / ${input.length} + ε )`,
    written: ['√( ', digits(variance), ' + ', String(step.epsilon), ' )'],
    terms: bySize(terms),
    result: Math.sqrt(variance + step.epsilon),
  };
}

async function norm(step: Of<'norm'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const [of, column] = [index.slice(0, -1), index.at(-1)!];
  const { mean } = momentsOf(await vectorAt(step.input, of, numbers), step.centred);
  const x = await operand(tensorCell(step.input, ...of, column), numbers);
  const scale = await operand(tensorCell(step.scale!, ...of, 0), numbers);
  const weight = await operand(weightCell(step.weight, 0, column), numbers);
  const bias = step.bias === undefined ? undefined : await operand(weightCell(step.bias, 0, column), numbers);
  return {
    formula: `${step.centred ? '( x − mean )' : 'x'} / scale × weight${bias ? ' + bias' : ''}`,
    written: [
      ...(step.centred ? ['( ', x, ` − ${digits(mean)} ) / `] : [x, ' / ']),
      ...[scale, ' × ', weight],
      ...(bias ? [' + ', bias] : []),
    ],
    result: ((x.value - mean) / scale.value) * weight.value + (bias?.value ?? 0),
  };
}

async function linear(step: Of<'linear'>, { name, index }: Cell, numbers: Numbers): Promise<Equation> {
  const [row = 0, ...inner] = index;
  // Logits are a linear layer over the final norm's rows that are wanted.
  const select = numbers.plan.steps.find((one) => one.op === 'selectRows' && one.output === step.input);
  const input = select?.op === 'selectRows' ? select.input : step.input;
  const widths = step.outputs.map((one) => widthOf(numbers.plan.tensors.get(one)!));
  const before = widths.slice(0, step.outputs.indexOf(name)).reduce((sum, width) => sum + width, 0);
  const headDim = inner.length > 1 ? Number(numbers.plan.tensors.get(name)!.shape[2]) : 1;
  const output = before + inner.reduce((at, i) => at * headDim + i, 0);
  const { shape } = await numbers.tensor(input);
  const x = await rowOf(input, row, numbers);
  const [weight, ownRow] = partAt(step.weight, output, numbers);
  const weights = await numbers.weightRow(weight, ownRow);
  const terms = [...x].map((value, j) => ({
    operands: [
      { cell: tensorCell(input, row, ...innerIndex(j, shape)), value },
      { cell: weightCell(weight, ownRow, j), value: weights[j]! },
    ],
    value: value * weights[j]!,
  }));
  const product = terms.reduce((sum, term) => sum + term.value, 0);
  const bias = step.bias === undefined ? undefined : await biasAt(step.bias, output, numbers);
  return {
    formula: `Σⱼ xⱼ Wⱼ${bias ? ' + bias' : ''}`,
    written: bias ? [digits(product), ' + ', bias] : [digits(product)],
    terms: bySize(terms),
    result: product + (bias?.value ?? 0),
  };
}

/** Layers that read the same are one matrix: its row `output` is a row of one of them. Files may have them in another order. */
function partAt(weight: string, output: number, { plan }: Numbers, isMatrix = true): [name: string, row: number] {
  const { parts = [], order } = plan.weights.find(({ name }) => name === weight)!;
  let row = output;
  for (const { name, length } of parts) {
    if (row < length) return [name, row];
    row -= length;
  }
  return [weight, isMatrix && order ? order(output) : output];
}

function biasAt(bias: string, output: number, numbers: Numbers): Promise<Operand> {
  const [name, column] = partAt(bias, output, numbers, false);
  return operand(weightCell(name, 0, column), numbers);
}

/** [head, d] of a flat index in [nHead, headDim], or the index itself. */
function innerIndex(flat: number, shape: readonly number[]): number[] {
  return shape.length === 3 ? [Math.floor(flat / shape[2]!), flat % shape[2]!] : [flat];
}

function cached(source: string, { plan }: Numbers): Of<'cacheAppend'> {
  return plan.steps.find((step) => step.op === 'cacheAppend' && step.source === source) as Of<'cacheAppend'>;
}

/** A pair of a head's numbers, turned by the angle of its position: the table holds each pair's cosine, then each one's sine. */
async function rotate(step: Of<'rotate'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const [row = 0, head = 0, d = 0] = index;
  const table = numbers.plan.weights.find(({ name }) => name === step.table)!;
  const pairs = table.columns / 2;
  const own = await operand(tensorCell(step.input, row, head, d), numbers);
  if (d >= 2 * pairs) return { formula: 'x: this number is not turned', written: [own], result: own.value };
  const [first, second] = [d < pairs ? d : d - pairs, d < pairs ? d + pairs : d];
  const other = await operand(tensorCell(step.input, row, head, d < pairs ? second : first), numbers);
  const cos = await operand(weightCell(step.table, row, first), numbers);
  const sin = await operand(weightCell(step.table, row, pairs + first), numbers);
  const sign = d < pairs ? -1 : 1;
  const formula = `x × cos ${sign < 0 ? '−' : '+'} y × sin`;
  const written = [own, ' × ', cos, sign < 0 ? ' − ' : ' + ', other, ' × ', sin];
  return { formula, written, result: own.value * cos.value + sign * other.value * sin.value };
}

/** The head of keys and values that a head reads: heads may share them. */
function keyHeadOf(head: number, source: string, { plan }: Numbers): number {
  const reader = plan.steps.find((step) => step.op === 'attentionScores' && step.source === source);
  const nHead = Number(plan.tensors.get((reader as Of<'attentionScores'>).q)!.shape[1]);
  return Math.floor((head * plan.sources.get(source)!.nHead) / nHead);
}

/** The first key that a row sees. */
const firstSeen = (row: number, window = Number.POSITIVE_INFINITY) => Math.max(0, row - window + 1);

async function scores(step: Of<'attentionScores'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const [head = 0, row = 0, key = 0] = index;
  if (key > row || key < firstSeen(row, step.window)) {
    return { formula: 'masked: a token sees only itself and what came before', written: ['−∞'], result: -Infinity };
  }
  const { k } = cached(step.source, numbers);
  const keyHead = keyHeadOf(head, step.source, numbers);
  const terms: Origin['terms'] = [];
  for (let d = 0; d < numbers.plan.sources.get(step.source)!.headDim; d++) {
    const a = await operand(tensorCell(step.q, row, head, d), numbers);
    const b = await operand(tensorCell(k, key, keyHead, d), numbers);
    terms.push({ operands: [a, b], value: a.value * b.value });
  }
  const product = terms.reduce((sum, term) => sum + term.value, 0);
  const scale = digits(step.scale);
  const written = [digits(product), ' × ', scale];
  return { formula: 'q · k × scale', written, terms: bySize(terms), result: product * step.scale };
}

async function softmax(step: Of<'maskedSoftmax'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const [head = 0, row = 0, key = 0] = index;
  const from = firstSeen(row, step.window);
  if (key > row || key < from) return { formula: 'masked', written: ['0'], result: 0 };
  const { data, shape } = await numbers.tensor(step.input);
  const start = (head * shape[1]! + row) * shape[2]!;
  const seen = data.subarray(start + from, start + row + 1);
  const most = seen.reduce((a, b) => Math.max(a, b), -Infinity);
  const terms = [...seen].map((value, j) => ({
    operands: [{ cell: tensorCell(step.input, head, row, from + j), value }],
    value: Math.exp(value - most),
  }));
  const total = terms.reduce((sum, term) => sum + term.value, 0);
  const own = terms[key - from]!;
  return {
    formula: `exp( s − max ) / Σₖ exp( sₖ − max )`,
    written: ['exp( ', own.operands[0]!, ` − ${digits(most)} ) / ${digits(total)}`],
    terms: bySize(terms),
    result: own.value / total,
  };
}

async function mix(step: Of<'attentionMix'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const [row = 0, head = 0, d = 0] = index;
  const { v } = cached(step.source, numbers);
  const keyHead = keyHeadOf(head, step.source, numbers);
  const terms: Origin['terms'] = [];
  for (let key = firstSeen(row, step.window); key <= row; key++) {
    const a = await operand(tensorCell(step.pattern, head, row, key), numbers);
    const b = await operand(tensorCell(v, key, keyHead, d), numbers);
    terms.push({ operands: [a, b], value: a.value * b.value });
  }
  const result = terms.reduce((sum, term) => sum + term.value, 0);
  return { formula: 'Σₖ patternₖ vₖ', written: [digits(result)], terms: bySize(terms), result };
}

const formulas: Record<Activation, string> = {
  gelu_new: '½ x ( 1 + tanh( √(2/π) ( x + 0.044715 x³ ) ) )',
  gelu: 'x Φ( x ), Φ the normal distribution',
  relu: 'max( 0, x )',
  silu: 'x / ( 1 + exp( −x ) )',
  tanh: 'tanh( x )',
};

async function activation(step: Of<'activation'>, { index }: Cell, numbers: Numbers): Promise<Equation> {
  const x = await operand(tensorCell(step.input, ...index), numbers);
  return { formula: formulas[step.kind], written: ['x = ', x], result: activate[step.kind](x.value) };
}

const bySize = (terms: Origin['terms']) => terms.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));

const digits = (value: number) => value.toPrecision(4).replace('-', '−');
