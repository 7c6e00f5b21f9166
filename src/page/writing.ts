import { batch, computed, signal } from '@preact/signals';
import { append, edit, type Manuscript, textOf, upTo, written } from '../embed/manuscript.ts';
import type { Completion, Token } from '../index.ts';
import { announcement } from './announce.ts';
import { type Branch, branches, branchOff, forgetBranches, goTo, shownBranch } from './branches.ts';
import { explain } from './failure.ts';
import { failure, loading, retry, type Shown, settled, show, shown } from './models.ts';
import { defaults, randomSeed, type Settings } from './settings.ts';
import { embedded } from './sources.ts';
import { strings } from './strings.ts';

/** The text, the settings, and the run that writes on. */

export interface Run {
  tokens: number;
  /** While it runs: measured between tokens here. Afterwards: the engine's own figure. */
  tokensPerSecond: number | undefined;
  /** Undefined for a greedy run, in which it plays no part. */
  seed: number | undefined;
  finishReason: Completion['finishReason'] | undefined;
}

export const manuscript = signal<Manuscript>(written(strings.opening));
export const settings = signal<Settings>({ ...defaults, seed: randomSeed() });
/** The run under way, or the last one. */
export const run = signal<Run | undefined>(undefined);
export const phase = signal<'idle' | 'waiting' | 'running'>('idle');

/** What happened to the text after a moment. */
type Change = 'completed' | 'typed' | 'other';

interface Moment {
  manuscript: Manuscript;
  run: Run | undefined;
  branches: readonly Branch[];
  shownBranch: number | undefined;
  change: Change;
}

const history = signal<Moment[]>([]);
/** Moments that were undone, the next one to come back last. */
const future = signal<Moment[]>([]);
const longestHistory = 100;

/** The text without the completion that was just written: what a permalink needs to write that again. */
export const prompt = computed(() => {
  const last = history.value.at(-1);
  return textOf(last?.change === 'completed' ? last.manuscript : manuscript.value);
});

export const canUndo = computed(() => phase.value === 'idle' && history.value.length > 0);
export const canRedo = computed(() => phase.value === 'idle' && future.value.length > 0);
/** True if the last thing that happened to the text is a sampled completion. */
export const canRewrite = computed(() => {
  return phase.value === 'idle' && history.value.at(-1)?.change === 'completed' && settings.value.temperature > 0;
});

let abort = new AbortController();
let endedAt = Number.NEGATIVE_INFINITY;
const lateStopMs = 250;

export function set<Key extends keyof Settings>(key: Key, value: Settings[Key]): void {
  settings.value = { ...settings.value, [key]: value };
}

/** When the visitor typed last, if nothing else has happened to the text since. */
let typedLast = Number.NEGATIVE_INFINITY;
const burstMs = 1000;

/** The visitor typed; what is typed without a pause is undone as one. */
export function type(text: string): void {
  const now = performance.now();
  if (now - typedLast > burstMs) remember('typed');
  typedLast = now;
  manuscript.value = edit(manuscript.value, text);
}

/** The visitor took tokens that the model offered. */
export function accept(tokens: readonly Pick<Token, 'id' | 'text' | 'logprob'>[]): void {
  if (phase.value !== 'idle' || tokens.length === 0) return;
  remember('other');
  manuscript.value = tokens.reduce(append, manuscript.value);
}

/** Another token in place of the one that begins at a character: the text branches there. */
export function branchAt(start: number, token: Pick<Token, 'id' | 'text' | 'logprob'>): void {
  if (phase.value !== 'idle') return;
  remember('other');
  batch(() => {
    const next = append(upTo(manuscript.value, start), token);
    branchOff(manuscript.value, start, next);
    manuscript.value = next;
    run.value = undefined;
  });
}

/** Back to a branch that was left. */
export function showBranch(id: number): void {
  if (phase.value !== 'idle' || id === shownBranch.value) return;
  remember('other');
  batch(() => {
    manuscript.value = goTo(id, manuscript.value) ?? manuscript.value;
    run.value = undefined;
  });
}

export async function complete(): Promise<void> {
  if (phase.value !== 'idle') return;
  abort = new AbortController();
  const { signal } = abort;
  batch(() => {
    failure.value = undefined;
    run.value = undefined;
    phase.value = 'waiting';
  });
  const load = shown.value || loading.value ? settled() : show(embedded);
  const ready = await Promise.race([load, aborted(signal)]);
  if (ready && !signal.aborted) await write(ready, signal);
  phase.value = 'idle';
  endedAt = performance.now();
}

/** The button that completes, or stops. A click that was aimed at Stop, and came when the run had just ended, does nothing. */
export function completeOrStop(): void {
  if (phase.value !== 'idle') stop();
  else if (performance.now() - endedAt > lateStopMs) void complete();
}

export function stop(): void {
  abort.abort();
}

export function undo(): void {
  const last = history.value.at(-1);
  if (!canUndo.value || !last) return;
  batch(() => {
    future.value = [...future.value, momentBefore(last.change)];
    history.value = history.value.slice(0, -1);
    goBackTo(last);
  });
}

export function redo(): void {
  const next = future.value.at(-1);
  if (!canRedo.value || !next) return;
  batch(() => {
    history.value = [...history.value, momentBefore(next.change)];
    future.value = future.value.slice(0, -1);
    goBackTo(next);
  });
}

function goBackTo(moment: Moment): void {
  leaveMoment();
  manuscript.value = moment.manuscript;
  run.value = moment.run;
  branches.value = moment.branches;
  shownBranch.value = moment.shownBranch;
}

/** Takes the last completion back and writes another. */
export function rewrite(): void {
  undo();
  set('seed', randomSeed());
  void complete();
}

export function reset(): void {
  if (phase.value !== 'idle') return;
  remember('other');
  forgetBranches();
  manuscript.value = written(strings.opening);
  run.value = undefined;
}

/** Puts another text in place, as a link does. */
export function replaceText(text: string): void {
  stop();
  if (textOf(manuscript.value)) remember('other');
  forgetBranches();
  manuscript.value = written(text);
  run.value = undefined;
}

function remember(change: Change): void {
  leaveMoment();
  history.value = [...history.value, momentBefore(change)].slice(-longestHistory);
  future.value = [];
}

/** What is typed next is undone by itself, and a text that was too long may fit now. */
function leaveMoment(): void {
  typedLast = Number.NEGATIVE_INFINITY;
  if (failure.value?.code === 'context-full') failure.value = undefined;
}

/** The page as it is, before a change. */
function momentBefore(change: Change): Moment {
  return {
    manuscript: manuscript.value,
    run: run.value,
    branches: branches.value,
    shownBranch: shownBranch.value,
    change,
  };
}

async function write({ ref, model }: Shown, signal: AbortSignal): Promise<void> {
  const { seed, ...dials } = settings.value;
  const before = textOf(manuscript.value);
  remember('completed');
  batch(() => {
    phase.value = 'running';
    run.value = {
      tokens: 0,
      tokensPerSecond: undefined,
      seed: dials.temperature > 0 ? seed : undefined,
      finishReason: undefined,
    };
    announcement.value = strings.writingBegins;
  });
  try {
    const tokens = model.generate(before, { ...dials, seed, signal });
    const stopwatch = new Stopwatch();
    for (;;) {
      const next = await tokens.next();
      if (next.done) {
        finish(next.value);
        break;
      }
      take(next.value, stopwatch);
    }
  } catch (error) {
    const stopped = signal.aborted || shown.value?.model !== model; // another model in its place ends it too
    if (!stopped) {
      failure.value = explain(error, ref, 'run');
      retry.value = () => void complete();
    } else if (run.value) run.value = { ...run.value, finishReason: 'abort' };
  }
  const after = textOf(manuscript.value);
  if (after === before) history.value = history.value.slice(0, -1); // nothing to undo
  if (run.value?.tokens) announcement.value = strings.wrote(after.slice(before.length));
}

function take(token: Token, stopwatch: Stopwatch): void {
  if (!run.value) return;
  batch(() => {
    manuscript.value = append(manuscript.value, token);
    run.value = { ...run.value!, tokens: run.value!.tokens + 1, tokensPerSecond: stopwatch.lap() };
  });
}

function finish({ finishReason, timing }: Completion): void {
  if (run.value) run.value = { ...run.value, finishReason, tokensPerSecond: timing.tokensPerSecond };
}

/** Laps per second since the first one, once there is a tenth of a second to measure. */
class Stopwatch {
  #first: number | undefined;
  #laps = 0;

  lap(): number | undefined {
    const now = performance.now();
    this.#first ??= now;
    const seconds = (now - this.#first) / 1000;
    return seconds > 0.1 ? this.#laps++ / seconds : void this.#laps++;
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
}
