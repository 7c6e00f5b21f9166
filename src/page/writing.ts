import { batch, computed, effect, signal } from '@preact/signals';
import type { Completion, Edit, Token } from '../index.ts';
import { announce } from './announce.ts';
import { explain } from './failure.ts';
import { failure, loading, retry, type Shown, settled, show, shown } from './models.ts';
import { defaults, randomSeed, type Settings } from './settings.ts';
import { embedded } from './sources.ts';
import * as state from './state/document.ts';
import { keep, kept } from './state/kept.ts';
import { strings } from './strings.ts';

/** The document on the page, the settings, and the run that writes on. */

export const settings = signal<Settings>({ ...defaults, seed: randomSeed() });

const history = signal(state.begun(state.opened(strings.opening)));

/** A run under way. Its document takes its place in the history when it ends, or is forgotten if it wrote nothing. */
interface Transaction {
  /** The history that it goes on from; the page's own stays as it is until it commits. */
  base: state.History;
  draft: state.Document;
  phase: 'waiting' | 'running';
  abort: AbortController;
}

const transaction = signal<Transaction | undefined>(undefined);

/** What is shown: the history's present document, or what a run has made of it so far. */
export const page = computed(() => transaction.value?.draft ?? state.present(history.value));
export const manuscript = computed(() => state.manuscriptOf(page.value));
export const shownText = computed(() => state.textIn(page.value));
/** The run under way, or the last one. */
export const run = computed(() => page.value.run);
export const phase = computed(() => transaction.value?.phase ?? 'idle');

/** The text without the completion that was just written: what a permalink needs to write that again. */
export const prompt = computed(() => {
  return state.textIn(
    transaction.value ? state.present(transaction.value.base) : state.beforeCompletion(history.value),
  );
});

export const canUndo = computed(() => phase.value === 'idle' && history.value.at > 0);
export const canRedo = computed(() => {
  return phase.value === 'idle' && history.value.at < history.value.documents.length - 1;
});
/** True if the last thing that happened to the text is a sampled completion. */
export const canRewrite = computed(() => {
  return canUndo.value && page.value.change === 'completed' && settings.value.temperature > 0;
});

export function set<Key extends keyof Settings>(key: Key, value: Settings[Key]): void {
  settings.value = { ...settings.value, [key]: value };
}

/** When the visitor typed last, if nothing else has happened to the text since. */
let typedLast = Number.NEGATIVE_INFINITY;
const burstMs = 1000;

/** An input method is at work on a word: what it has so far is no text to go on from, and no step to go back to. */
export const composing = signal(false);
/** The word has begun to stand in the text. */
let hasComposed = false;

/** What a field that writes into the text tells of input methods. */
export const composition = {
  onCompositionStart: () => compose(true),
  onCompositionEnd: () => compose(false),
};

export function compose(is: boolean): void {
  composing.value = is;
  hasComposed = false;
}

/** The visitor typed; what is typed without a pause is undone as one. What leaves the text as it is is no step, and takes none away. */
export function type(text: string): void {
  if (phase.value !== 'idle' || text === shownText.value) return;
  const now = performance.now();
  const goesOn = hasComposed || now - typedLast <= burstMs;
  hasComposed = composing.value;
  const next = state.typed(page.value, text);
  change(goesOn ? state.replaced(history.value, next) : state.pushed(history.value, next));
  typedLast = now;
}

/** The visitor took tokens that the model offered. */
export function accept(tokens: readonly Pick<Token, 'id' | 'text' | 'logprob'>[]): void {
  if (tokens.length > 0) push(state.appended(page.value, tokens, 'other'));
}

/** Another token in place of the one that begins at a character: the text branches there. */
export function branchAt(start: number, token: Pick<Token, 'id' | 'text' | 'logprob'>): void {
  push(state.branchedAt(page.value, start, token));
}

/** Back to a branch that was left. */
export function showBranch(id: number): void {
  if (id !== page.value.shown) push(state.showing(page.value, id));
}

export function reset(): void {
  replaceText(strings.opening);
}

/** Puts another text in place, as a link does; a run under way ends with what it wrote. One that stands there alone is no step. */
export function replaceText(text: string): void {
  stop();
  endedAt = Number.NEGATIVE_INFINITY; // a click that follows is aimed at the new text
  if (text !== shownText.value || page.value.branches.length > 1) push({ ...state.opened(text), change: 'other' });
}

/** The text that the page opens with: a link's, else what stood here before a reload. There is nothing to undo but what that had. */
export function openText(text: string | undefined): void {
  const former = text === undefined ? kept() : state.begun(state.opened(text));
  if (former) change(former);
}

/** Puts the ways that a link's text went in the place of the text that it brought. */
export function openDocument(document: state.Document): void {
  if (phase.value === 'idle') change(state.replaced(history.value, document));
}

const keptAfterMs = 300;

/** Keeps the text for a reload: it stands in no address, so it gets into no history that a browser sends elsewhere. */
export function keepText(): void {
  let timer = 0;
  effect(() => {
    const present = history.value;
    clearTimeout(timer);
    timer = window.setTimeout(() => keep(present), keptAfterMs);
  });
  addEventListener('pagehide', () => {
    stop(); // what was written until now stays
    keep(history.value);
  });
}

export function undo(): void {
  if (canUndo.value) change(state.moved(history.value, -1));
}

export function redo(): void {
  if (canRedo.value) change(state.moved(history.value, 1));
}

function push(document: state.Document): void {
  if (phase.value === 'idle') change(state.pushed(history.value, document));
}

/** Another history: what is typed next is undone by itself, and a text that was too long may fit now. */
function change(next: state.History): void {
  typedLast = Number.NEGATIVE_INFINITY;
  batch(() => {
    if (failure.value?.code === 'context-full') failure.value = undefined;
    history.value = next;
  });
}

let endedAt = Number.NEGATIVE_INFINITY;
const lateStopMs = 250;

/** `edits`: what is changed inside the model while it writes; nothing by default. */
export function complete(edits: readonly Edit[] = []): Promise<void> {
  return runFrom(history.value, edits).then(() => {});
}

/** Writes another completion in place of the last one, which stays if the new run writes nothing. */
export async function rewrite(): Promise<void> {
  if (!canRewrite.value) return;
  const { seed } = settings.value;
  set('seed', randomSeed());
  if ((await runFrom(state.moved(history.value, -1), run.value?.edits)) === 'rolled back') set('seed', seed);
}

/** The button that completes, or stops. A click that was aimed at Stop, and came when the run had just ended, does nothing. */
export function completeOrStop(): void {
  if (phase.value !== 'idle') stop();
  else if (performance.now() - endedAt > lateStopMs) void complete();
}

/** Ends the run under way at once. */
export function stop(): void {
  const mine = transaction.value;
  mine?.abort.abort();
  if (mine) end(mine, 'abort');
}

type Ending = 'committed' | 'rolled back';

async function runFrom(base: state.History, edits: readonly Edit[] = []): Promise<Ending> {
  if (transaction.value) return 'rolled back';
  const draft = { ...state.present(base), run: undefined };
  const abort = new AbortController();
  const mine: Transaction = { base, draft, phase: 'waiting', abort };
  batch(() => {
    failure.value = undefined;
    transaction.value = mine;
  });
  const load = shown.value || loading.value ? settled() : show(embedded);
  const ready = await Promise.race([load, aborted(abort.signal)]);
  if (ready && !abort.signal.aborted) await write(ready, mine, edits);
  end(mine);
  return state.present(history.value).run === mine.draft.run && mine.draft.run?.tokens ? 'committed' : 'rolled back';
}

async function write({ ref, model }: Shown, mine: Transaction, edits: readonly Edit[]): Promise<void> {
  const { seed, ...dials } = settings.value;
  const { signal } = mine.abort;
  const sampled = dials.temperature > 0 ? seed : undefined;
  batch(() => {
    mine.phase = 'running';
    draw(mine, {
      ...mine.draft,
      run: { tokens: 0, tokensPerSecond: undefined, seed: sampled, finishReason: undefined, edits },
    });
    announce(strings.writingBegins);
  });
  try {
    const tokens = model.generate(state.textIn(mine.draft), { ...dials, seed, edits, signal });
    const stopwatch = new Stopwatch();
    for (;;) {
      const next = await tokens.next();
      if (signal.aborted) return;
      if (next.done) return finish(mine, next.value);
      take(mine, next.value, stopwatch);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (shown.value?.model !== model) return end(mine, 'abort'); // another model in its place ends it too
    failure.value = explain(error, ref, 'run');
    retry.value = () => void complete(edits);
  }
}

/** Shows what a run has made of its document, if it is still the one under way. */
function draw(mine: Transaction, draft: state.Document): void {
  mine.draft = draft;
  if (transaction.value?.abort === mine.abort) transaction.value = { ...mine };
}

function take(mine: Transaction, token: Token, stopwatch: Stopwatch): void {
  const { run, ...draft } = state.appended(mine.draft, [token], 'completed');
  draw(mine, { ...draft, run: { ...run!, tokens: run!.tokens + 1, tokensPerSecond: stopwatch.lap() } });
}

function finish(mine: Transaction, { finishReason, timing }: Completion): void {
  const run = { ...mine.draft.run!, finishReason, tokensPerSecond: timing.tokensPerSecond };
  draw(mine, { ...mine.draft, run });
}

/** Commits what a run wrote. One that wrote nothing leaves everything as it was, and says how it ended. */
function end(mine: Transaction, how?: 'abort'): void {
  if (transaction.value?.abort !== mine.abort) return;
  const { base, draft } = transaction.value;
  const run = draft.run && how ? { ...draft.run, finishReason: how } : draft.run;
  mine.draft = { ...draft, run };
  batch(() => {
    transaction.value = undefined;
    if (run?.tokens) change(state.pushed(base, mine.draft));
    else if (run?.finishReason && (!how || base === history.value)) {
      change(state.replaced(base, { ...state.present(base), run }));
    }
  });
  endedAt = performance.now();
  const before = state.textIn(state.present(base));
  if (run?.tokens) announce(strings.wrote(state.textIn(mine.draft).slice(before.length)));
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
