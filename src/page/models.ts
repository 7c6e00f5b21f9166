import { signal } from '@preact/signals';
import { EngineWorker, type WorkerModel } from '../embed/client.ts';
import type { Progress } from '../index.ts';
import { announcement } from './announce.ts';
import { explain, type Failure } from './failure.ts';
import type { Device } from './permalink.ts';
import { embedded, type ModelRef, nameOf, sourceOf } from './sources.ts';
import { strings } from './strings.ts';

/** The model that is shown, the one being loaded, and what went wrong. */

export interface Shown {
  ref: ModelRef;
  model: WorkerModel;
  /** The choice it was loaded with. */
  device: Device;
}

export interface Loading {
  ref: ModelRef;
  name: string;
  progress: Progress | undefined;
  cancel(): void;
}

export const shown = signal<Shown | undefined>(undefined);
export const loading = signal<Loading | undefined>(undefined);
export const failure = signal<Failure | undefined>(undefined);
export const device = signal<Device>('auto');

/** The model that this browser could not keep, and why. */
export const unkept = signal<{ name: string; why: string } | undefined>(undefined);

/** What "try again" does. */
export const retry = signal<(() => void) | undefined>(undefined);

let engine = new EngineWorker();

/** What was downloaded and is kept in this browser. */
export const cachedModels: EngineWorker['cachedModels'] = {
  list: () => engine.cachedModels.list(),
  delete: (name) => engine.cachedModels.delete(name),
};

let current: Promise<Shown | undefined> = Promise.resolve(undefined);

/**
 * Loads a model and shows it in place of the one before, which stays until then: a cancelled or failed load loses
 * nothing. A second load cancels the first. Resolves to what is shown afterwards.
 */
export function show(ref: ModelRef): Promise<Shown | undefined> {
  loading.value?.cancel();
  current = replace(ref);
  return current;
}

/** The shown model, after the load under way if there is one. */
export async function settled(): Promise<Shown | undefined> {
  for (;;) {
    const waited = current;
    await waited;
    if (waited === current) return shown.value; // else another load took its place
  }
}

async function replace(ref: ModelRef): Promise<Shown | undefined> {
  const abort = new AbortController();
  const chosen = device.value;
  const mine: Loading = { ref, name: nameOf(ref), progress: undefined, cancel: () => abort.abort() };
  failure.value = undefined;
  unkept.value = undefined;
  loading.value = mine;
  const onProgress = (progress: Progress) => {
    if (progress.warning) unkept.value = { name: mine.name, why: progress.warning };
    if (loading.value?.cancel === mine.cancel) loading.value = { ...mine, progress };
  };
  try {
    const options = {
      device: chosen,
      onProgress,
      signal: abort.signal,
      ...(ref.kind === 'embedded' && { cache: false as const }), // it is kept with the page, by the service worker
    };
    const model = await engine.load(sourceOf(ref), options).catch((error) => {
      if (!engine.ended || abort.signal.aborted) throw error;
      engine.terminate(); // one that stopped takes its models with it
      engine = new EngineWorker();
      return engine.load(sourceOf(ref), options);
    });
    void shown.value?.model.dispose();
    shown.value = { ref, model, device: chosen };
    announcement.value = strings.ready(mine.name, strings.kinds[model.device.kind]);
  } catch (error) {
    if (!abort.signal.aborted) {
      failure.value = explain(error, ref, 'load');
      retry.value = () => runOn(chosen, ref);
    }
  } finally {
    if (loading.value?.cancel === mine.cancel) {
      loading.value = undefined;
      device.value = shown.value?.device ?? chosen; // as before, if it failed or was cancelled
    }
  }
  return shown.value;
}

/** Loads a model, or what is shown again, on another device. */
export function runOn(next: Device, ref = shown.value?.ref ?? loading.value?.ref ?? embedded): void {
  device.value = next;
  void show(ref);
}
