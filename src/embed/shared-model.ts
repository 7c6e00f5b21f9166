import type { LanguageModel, Progress, Source } from '../index.ts';
import { badOption } from '../plan/error.ts';
import { type OpenedModel, type OpenOptions, openModel } from './open-model.ts';

/** Options of a model that several places may hold: progress is its state's, and it is aborted when nobody holds it. */
export type SharedOptions = Omit<OpenOptions, 'onProgress' | 'signal'>;

/** Where a model stands; a new object at each change. */
export type ModelState =
  | { status: 'idle'; progress?: undefined; error?: undefined; model?: undefined }
  | { status: 'loading'; progress?: Progress; error?: undefined; model?: undefined }
  | { status: 'ready'; progress?: undefined; error?: undefined; model: LanguageModel }
  | { status: 'error'; progress?: undefined; error: unknown; model?: undefined };

interface Entry {
  state: ModelState;
  holders: Set<() => void>;
  abort: AbortController;
  opened?: OpenedModel;
  start(): void;
}

const entries = new Map<string, Entry>();
/** How it stands with no model, and with one that has just been asked for. */
export const idle: ModelState = { status: 'idle' };
export const loading: ModelState = { status: 'loading' };

/** How it stands with a model; one that nobody holds yet is about to load. */
export const stateOf = (key: string): ModelState => entries.get(key)?.state ?? loading;

/**
 * Loads a model, or joins those who hold it already. Let go of by all, it is aborted or disposed: a task later, so that
 * who lets go and holds again at once (an element that moves, a component in StrictMode) keeps it.
 * @returns lets go
 */
export function holdModel(key: string, source: Source, options: SharedOptions, onChange: () => void): () => void {
  const entry = entries.get(key) ?? enter(key, source, options);
  const holder = () => onChange(); // one of its own for each hold
  entry.holders.add(holder);
  return () => {
    entry.holders.delete(holder);
    setTimeout(() => {
      if (entry.holders.size === 0) end(key, entry);
    });
  };
}

/** Begins again where it failed. */
export function retryModel(key: string): void {
  const entry = entries.get(key);
  if (entry?.state.status === 'error') entry.start();
}

function enter(key: string, source: Source, options: SharedOptions): Entry {
  const change = (state: ModelState) => {
    entry.state = state;
    for (const onChange of entry.holders) onChange();
  };
  const entry: Entry = {
    state: loading,
    holders: new Set(),
    abort: new AbortController(),
    start: () => {
      change(loading);
      void load(source, options, entry, change);
    },
  };
  entries.set(key, entry);
  entry.start();
  return entry;
}

async function load(source: Source, options: SharedOptions, entry: Entry, change: (state: ModelState) => void) {
  const { signal } = entry.abort;
  let shown = '';
  const onProgress = (progress: Progress) => {
    const step = `${progress.stage} ${progress.file} ${Math.floor((100 * progress.loaded) / progress.total)}`;
    if (step === shown || signal.aborted) return; // a large model reports thousands of times
    shown = step;
    change({ status: 'loading', progress });
  };
  try {
    refuseOwned(options);
    const opened = await openModel(source, { ...options, onProgress, signal });
    if (signal.aborted) return opened.close();
    entry.opened = opened;
    change({ status: 'ready', model: opened.model });
  } catch (error) {
    if (!signal.aborted) change({ status: 'error', error });
  }
}

/** What is given here already, and would be ignored. */
function refuseOwned(options: object): void {
  for (const [name, hint] of [
    ['onProgress', "Read the state's progress."],
    ['signal', 'A load ends when nobody holds it any more.'],
  ] as const) {
    if (name in options) throw badOption(`The option ${name} is not for a shared model.`, hint);
  }
}

function end(key: string, entry: Entry): void {
  if (entries.get(key) !== entry) return;
  entries.delete(key);
  entry.abort.abort();
  entry.opened?.close();
}

const ids = new WeakMap<object, number>();
let lastId = 0;

/**
 * What tells models apart: the source and its plain options by value, files and devices by identity. Functions do not
 * count: a component writes them anew each time it is drawn.
 */
export const keyOf = (source: Source, options: SharedOptions): string => `${identity(source)} ${identity(options)}`;

function identity(value: unknown): string {
  if (typeof value === 'function') return 'function';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  if (value instanceof URL) return JSON.stringify(value.href);
  if (Array.isArray(value) || isFileList(value)) return `[${Array.from(value, identity)}]`;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype) {
    const given = Object.entries(value).filter(([, item]) => item !== undefined);
    return `{${given.map(([name, item]) => `${name}:${identity(item)}`).sort()}}`;
  }
  if (!ids.has(value)) ids.set(value, ++lastId);
  return `#${ids.get(value)}`;
}

const isFileList = (value: object): value is FileList => typeof FileList !== 'undefined' && value instanceof FileList;
