import { createCpuBackend } from '../../cpu/backend.ts';
import type { Chosen, Trial } from '../../gpu/open.ts';
import type { Backend, Batch, Program, ProgramSize, Row, RunResult, WeightFormat } from '../../plan/backend.ts';
import { VitrineError } from '../../plan/error.ts';
import type { KvFormat } from '../../plan/kv.ts';
import { type Plan, stepsOf, type WeightSpec, widthOf } from '../../plan/plan.ts';
import { type Canary, canariesOf, narrowed } from './canary.ts';
import { compared, type DeviceCheck, type Finding, TOLERANCE } from './finding.ts';
import { checkSampler } from './sampler-check.ts';

/** For keys and values that are rounded after a sum, a few of them the other way. */
const ROUNDED = { mean: 1e-3, worst: 1e-2 } as const;
/** Rows of the run of many: more than a tile of eight has. */
const ROWS = 11;

/** What is checked: the kernels of a plan, of programs of this size. */
export interface Checked {
  plan: Plan;
  size: ProgramSize;
  formatOf(weight: WeightSpec): WeightFormat;
  kv: KvFormat;
}

/** A run of both devices, of the canaries of one part. */
interface Run {
  rows: Finding['rows'];
  part: Canary['part'];
  batch: Batch;
}

/** How many rows the run of many has, and how many tokens and segments there are for those that look them up. */
function rowsOf({ plan, size }: Checked) {
  const before = Math.min(ROWS, size.rows, size.context - 1, plan.nCtx - 1);
  const tables = stepsOf(plan).flatMap((step) => (step.op === 'embed' ? step.tables : []));
  const fewest = (number: 'token' | 'segment', most: number) => {
    const names = new Set(tables.flatMap(({ weight, by }) => (by === number ? [weight] : [])));
    return Math.min(most, ...plan.weights.map(({ name, rows }) => (names.has(name) ? rows : most)));
  };
  return { before, tokens: fewest('token', Math.min(before + 1, plan.vocabSize)), segments: fewest('segment', 2) };
}

/**
 * Runs every kernel that a plan's programs have on fresh values, on a backend without weights and on the CPU. `apart`: with every
 * tensor kept, so that no two steps are fused.
 */
export async function checkKernels(
  gpu: Backend,
  of: Checked,
  wanted = (_: Canary) => true,
  apart = false,
): Promise<Finding[]> {
  const { plan } = of;
  const { before } = rowsOf(of);
  const canaries = canariesOf(plan, of.formatOf, before + 1).filter(wanted);
  const runs = runsOf(of).filter(({ part }) => canaries.some((canary) => canary.part === part));
  const program = await programOf(gpu, of, canaries, apart);
  try {
    const found: (RunResult & { ms: number })[] = [];
    for (const { batch } of runs) {
      program.spoil?.();
      const start = performance.now();
      found.push({ ...(await program.run(batch)), ms: performance.now() - start });
    }
    const findings: Finding[] = [];
    for (const canary of canaries) {
      const own = runs.filter(({ part }) => part === canary.part);
      const expected = await onCpu(canary, of, own, before + 1);
      for (const [i, run] of own.entries()) {
        findings.push(judge(canary, run.rows, found[runs.indexOf(run)]!, expected[i]!, of.kv));
      }
    }
    if (isWriter(plan) && canaries.some(({ output }) => output === 'logits')) {
      const last = runs.findLastIndex(({ part }) => part === 'steps');
      findings.push(...(await checkSampler(program, runs[last]!.batch.rows[0]!, found[last]!.logits)));
    }
    return findings;
  } finally {
    program.dispose();
  }
}

/** Whether a model writes on: its rows see those before. Those of others see all of a text. */
const isWriter = ({ sources }: Plan) => [...sources.values()].some(({ axis }) => axis === 'context');

/** A run of many rows, one of a row behind them, and one of the encoder, where the plan has one. */
function runsOf(of: Checked): Run[] {
  const { plan, size } = of;
  const { before, tokens, segments } = rowsOf(of);
  const row = (position: number): Row => ({
    ...{ token: position % tokens, position, slot: 0, segment: position % segments },
    // As one row both fills the memory and reads it here, it sees what begins with its own place.
    memory:
      position < before ? { first: position, count: before - position } : { first: 0, count: Math.max(1, before) },
  });
  const many = Array.from({ length: before }, (_, position) => row(position));
  const whole = (rows: Row[]) => rows.map((one, at) => ({ ...one, at, first: 0, sees: rows.length }));
  const asRead = (rows: Row[]) => (isWriter(plan) ? rows : whole(rows));
  const logitRows = [...new Set([0, before - 1])].slice(0, size.logitRows);
  const encoded = { rows: whole(many), logitRows: [], encodes: true };
  return [
    ...(before > 0
      ? [{ rows: before > 1 ? 'many' : 'one', part: 'steps', batch: { rows: asRead(many), logitRows } } as const]
      : []),
    { rows: 'one', part: 'steps', batch: { rows: asRead([row(before)]), logitRows: [0] } },
    ...(plan.encoder && before > 0 ? [{ rows: 'many', part: 'encoder', batch: encoded } as const] : []),
  ];
}

/** What `checkKernels` would check, by name. */
export function canariesIn(of: Checked, wanted: (canary: Canary) => boolean): string[] {
  return canariesOf(of.plan, of.formatOf, rowsOf(of).before + 1)
    .filter(wanted)
    .map(({ op }) => op);
}

/** One program of all canaries, side by side. */
async function programOf(gpu: Backend, of: Checked, canaries: readonly Canary[], apart: boolean): Promise<Program> {
  for (const { spec, format, values } of canaries.flatMap(({ weights }) => weights)) {
    await gpu.addWeight(spec, format, inOnePiece(values));
  }
  const stepsOf = (part: Canary['part']) => canaries.flatMap((one) => (one.part === part ? one.steps : []));
  const tensors = new Map(canaries.flatMap((canary) => [...canary.tensors]));
  const kept = apart ? [...tensors.keys()] : canaries.flatMap(({ output, kept }) => [output, ...kept]);
  const plan: Plan = {
    ...planOf(of.plan, stepsOf('steps'), tensors, new Map(canaries.flatMap(({ sources }) => [...sources]))),
    ...(of.plan.encoder && { encoder: stepsOf('encoder') }),
  };
  const source = rowsOf(of).before + 1; // of the batch's own keys as many are kept
  return gpu.program(plan, { ...of.size, slots: 1, source }, new Set(kept.filter((name) => name !== 'logits')));
}

const planOf = (
  { nCtx, vocabSize }: Plan,
  steps: Plan['steps'],
  tensors: Plan['tensors'],
  sources: Plan['sources'],
): Plan => ({ nCtx, vocabSize, weights: [], tensors, aliases: new Map(), sources, steps });

/** A canary's results on the CPU, of a part of its columns. */
async function onCpu(canary: Canary, { plan, kv }: Checked, runs: readonly Run[], context: number) {
  const { columns, of } = narrowed(canary, context);
  const cpu = createCpuBackend({ kv });
  for (const { spec, format, values } of of.weights) await cpu.addWeight(spec, format, inOnePiece(values));
  const size = { slots: 1, context, rows: context, logitRows: context, source: context };
  const part = planOf(plan, of.steps, of.tensors, of.sources);
  const program = await cpu.program(part, size, new Set([of.output]));
  const results: { columns: readonly number[]; values: Float32Array }[] = [];
  for (const { batch } of runs) {
    const { captured } = await program.run({ ...batch, encodes: false });
    results.push({ columns, values: captured.get(of.output)! });
  }
  cpu.dispose();
  return results;
}

function judge(
  canary: Canary,
  rows: Finding['rows'],
  found: RunResult & { ms: number },
  { columns, values }: { columns: readonly number[]; values: Float32Array },
  kv: Checked['kv'],
): Finding {
  const all = canary.output === 'logits' ? found.logits : found.captured.get(canary.output)!;
  const width = widthOf(canary.tensors.get(canary.output)!);
  const picked = values.map((_, i) => all[Math.floor(i / columns.length) * width + columns[i % columns.length]!]!);
  const hasLinear = canary.steps.some(({ op }) => op === 'linear');
  const tolerance = canary.attention && hasLinear && kv !== 'f32' ? ROUNDED : TOLERANCE;
  const kernel = hasLinear ? 'linear' : canary.attention ? 'attention' : 'other';
  return { op: canary.op, rows, kernel, ms: found.ms, ...compared(picked, values, tolerance) };
}

async function* inOnePiece(values: Float32Array): AsyncGenerator<Float32Array> {
  yield values;
}

/** Kept verdicts of checks that compared something else, or otherwise, are not looked at. */
const VERSION = 1;

/**
 * The check that a load makes of its GPU: variants that fail are replaced by others. `report` is told what was found.
 * @throws VitrineError `no-webgpu` where no variant of a kernel computes what it should
 */
export function checkOf(of: Checked, report: (check: DeviceCheck) => void): (trial: Trial) => Promise<Chosen> {
  return async (trial) => {
    const browser = globalThis.navigator?.userAgent ?? globalThis.process?.version;
    const key = `checked ${VERSION} ${browser} ${await trial.keyOf(trial.preferred)} ${JSON.stringify(trial.preferred)}`;
    const kept = parse(await trial.store.get(key), trial);
    const check = kept ?? (await checkVariants(trial, of));
    report(check);
    if (!check.passed) throw wrongKernel(check);
    // What failed is checked anew each time: a driver can be mended without another name.
    if (!kept) await trial.store.set(key, JSON.stringify(check));
    return check.variants as Chosen;
  };
}

function parse(text: string | undefined, { variants }: Trial): DeviceCheck | undefined {
  try {
    const check = JSON.parse(text ?? '') as DeviceCheck;
    const isKnown = kinds.every((kind) => (variants[kind] as string[]).includes(check.variants[kind]));
    return check.passed && isKnown ? { ...check, kept: true } : undefined;
  } catch {
    return undefined; // nothing kept, or written by somebody else
  }
}

const kinds = ['row', 'tile', 'attention'] as const;

/** Variants that are tried in place of one that fails, the simplest first. */
const MOST_OTHERS = 2;

async function checkVariants(trial: Trial, of: Checked): Promise<DeviceCheck> {
  const start = performance.now();
  const variants = { ...trial.preferred };
  const left = new Map(
    kinds.map((kind) => [
      kind,
      trial.variants[kind].filter((name) => name !== variants[kind]).slice(0, MOST_OTHERS) as string[],
    ]),
  );
  const replaced: DeviceCheck['replaced'] = [];
  for (;;) {
    const backend = trial.open(variants);
    const findings = await checkKernels(backend, of)
      .catch((error: unknown) => [uncompiled(error)])
      .finally(() => backend.dispose());
    const failed = findings.filter(({ passed }) => !passed);
    const largest = (of: 'mean' | 'worst') =>
      findings.reduce((most, { error }) => (error[of] <= most ? most : error[of]), 0);
    const check = {
      passed: failed.length === 0,
      adapter: trial.adapter,
      variants: { ...variants },
      replaced,
      comparisons: findings.length,
      error: { mean: largest('mean'), worst: largest('worst') },
      ms: performance.now() - start,
      kept: false,
    };
    if (check.passed) return check;
    const culprits = new Map(failed.map((finding) => [kindOf(finding, failed), finding] as const).reverse());
    for (const [kernel, finding] of culprits)
      replaced.push({ kernel, variant: kernel === 'other' ? 'the only one' : variants[kernel], failed: finding });
    for (const kind of culprits.keys()) {
      const next = kind === 'other' ? undefined : left.get(kind)!.shift();
      if (next === undefined) return check;
      Object.assign(variants, { [kind]: next });
    }
  }
}

/** The finding of a kernel that does not compile; throws the error again where no kernel with variants is at fault. */
function uncompiled(error: unknown): Finding {
  const isShaders = error instanceof VitrineError && error.code === 'no-webgpu';
  const [, file] = (isShaders && /\b(linear-row|linear-tile|attention-(?:row|tile))\b/.exec(error.message)) || [];
  if (!file) throw error;
  const none = { mean: Number.NaN, worst: Number.NaN };
  const [kernel, rows] = [
    file.startsWith('linear') ? 'linear' : 'attention',
    file.endsWith('row') ? 'one' : 'many',
  ] as const;
  return { op: (error as VitrineError).message, rows, kernel, error: none, tolerance: TOLERANCE, passed: false, ms: 0 };
}

/** The kernel with variants that a failure is laid to; `other` where there is but one. */
function kindOf({ kernel, rows, op }: Finding, failed: readonly Finding[]): keyof Chosen | 'other' {
  if (kernel === 'other') return kernel;
  const isAttentions = failed.some(
    (other) => other.kernel === 'attention' && other.rows === rows && op.endsWith(other.op),
  );
  if (kernel === 'attention' || isAttentions) return 'attention';
  return rows === 'one' ? 'row' : 'tile';
}

function wrongKernel({ adapter, replaced }: DeviceCheck): VitrineError {
  const { failed, variant } = replaced.at(-1)!;
  const hint = "Please report it with what checkDevice() says; device: 'wasm' works without the GPU.";
  const { error, tolerance, ms } = failed;
  if (ms === 0) return new VitrineError('no-webgpu', failed.op, { hint }); // it was never run
  const figures = `${error.mean.toExponential(1)} where ${tolerance.mean.toExponential(0)} is allowed`;
  return new VitrineError(
    'no-webgpu',
    `${adapter} computes wrong results: ${failed.op}, for ${failed.rows} ${failed.rows === 'one' ? 'row' : 'rows'} (${variant}), is off by ${figures}.`,
    { hint },
  );
}
