import { computed, signal } from '@preact/signals';
import {
  EngineWorker,
  type WorkerEncoder,
  type WorkerEncoderDecoder,
  type WorkerModel,
  type WorkerVision,
} from '../embed/client.ts';
import type { Inspection, Progress } from '../index.ts';
import { announce } from './announce.ts';
import { embeddedKinds } from './embedded.ts';
import { explain, type Failure } from './failure.ts';
import type { Device } from './permalink.ts';
import { embedded, isSame, linkOf, type ModelRef, nameOf, parseModelRef, sourceOf } from './sources.ts';
import { store, stored } from './state/kept.ts';
import { strings } from './strings.ts';

/** The model that writes, the one whose room is open, the one being loaded, and what went wrong. */

interface Opened {
  ref: ModelRef;
  /** The choice it was loaded with. */
  device: Device;
}

export interface Shown extends Opened {
  model: WorkerModel;
  /** It was trained to converse, and has a template for it. */
  talks: boolean;
}

/** A model that does something else than to write on. */
export type Guest = Opened &
  (
    | { kind: 'encoder'; model: WorkerEncoder }
    | { kind: 'encoder-decoder'; model: WorkerEncoderDecoder }
    | { kind: 'vision'; model: WorkerVision }
  );

export interface Loading {
  ref: ModelRef;
  name: string;
  progress: Progress | undefined;
  cancel(): void;
}

/** The model that writes; it stays while another one's room is open. */
export const shown = signal<Shown | undefined>(undefined);
/** The model whose room is open in place of the text. */
export const guest = signal<Guest | undefined>(undefined);
/** What stands in the room of a model, as a link or the visitor has it; each link that is followed begins the room anew, `link` counts them. */
export const roomText = signal<{ ref: ModelRef; text: string | undefined; link: number } | undefined>(undefined);
/** The link that began a room; 0: it was opened otherwise. */
export const roomLink = (ref: ModelRef) => (isSame(roomText.value?.ref, ref) ? roomText.value!.link : 0);
/** The same of the room that is open; undefined where it stands as it was found. */
export const openRoomText = () => (isSame(roomText.value?.ref, guest.value?.ref) ? roomText.value?.text : undefined);
/** The visitor wrote in the room that is open. */
export function writeInRoom(text: string): void {
  if (!guest.value) return;
  const { ref } = guest.value;
  roomText.value = { ref, text, link: roomLink(ref) };
  store('room', { model: linkOf(ref), text });
}
/** What was written in a room before a reload; the room has it when it is opened again. */
export function recallRoom(): void {
  const found = stored<{ model?: string; text: string }>('room', ({ text }) => typeof text === 'string');
  const ref = parseModelRef(found?.model ?? '');
  if (found && ref) roomText.value = { ref, text: found.text, link: 0 };
}
/** Told anew when an adapter is put on the model that is open, or taken off: what was read of it is of another model then. */
export const adapted = signal(0);
/** The conversation with the model that writes is open in place of the text. */
export const talking = signal(false);
/** What the page is of now. */
export const opened = computed(() => guest.value ?? shown.value);
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
  if (guest.value && isSame(ref, shown.value?.ref) && device.value === shown.value?.device) leaveRoom();
  else current = replace(ref);
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
    const found = await load(ref, { device: chosen, onProgress, signal: abort.signal });
    void guest.value?.model.dispose();
    guest.value = found.kind === 'decoder' ? undefined : { ref, device: chosen, ...found };
    if (found.kind === 'decoder') {
      void shown.value?.model.dispose();
      shown.value = { ref, device: chosen, model: found.model, talks: found.talks };
      talking.value = found.talks;
    }
    announce(strings.ready(mine.name, strings.kinds[found.model.device.kind]));
  } catch (error) {
    if (!abort.signal.aborted) {
      failure.value = explain(error, ref, 'load');
      retry.value = () => runOn(chosen, ref);
    }
  } finally {
    if (loading.value?.cancel === mine.cancel) {
      loading.value = undefined;
      device.value = opened.value?.device ?? chosen; // as before, if it failed or was cancelled
    }
  }
  return shown.value;
}

interface LoadOptions {
  device: Device;
  onProgress: (progress: Progress) => void;
  signal: AbortSignal;
}

/** A model by the loader of its kind, in a new worker if the one before has stopped. */
async function load(ref: ModelRef, options: LoadOptions) {
  const { signal } = options;
  // The one that writes is kept with the page, by the service worker.
  const kept = {
    ...tokenOf(ref),
    ...(isSame({ ...ref, adapter: undefined } as ModelRef, embedded) && { cache: false as const }),
  };
  const once = async () => {
    const source = sourceOf(ref);
    const all = { ...options, ...kept, ...(ref.adapter && { adapter: ref.adapter }) };
    const kind = ref.kind === 'embedded' ? embeddedKinds[ref.name] : (await inspect(ref, signal)).kind;
    switch (kind) {
      case 'decoder':
        return conversing(ref, await engine.load(source, all));
      case 'encoder':
        return { kind, model: await engine.loadEncoder(source, all) };
      case 'encoder-decoder':
        return { kind, model: await engine.loadEncoderDecoder(source, all) };
      case 'vision':
        return { kind, model: await engine.loadVision(source, all) };
      default:
        return kind satisfies never;
    }
  };
  return once().catch((error) => {
    if (!engine.ended || signal.aborted) throw error;
    engine.terminate(); // one that stopped takes its models with it
    engine = new EngineWorker();
    return once();
  });
}

/** A decoder, and whether it has a template for conversations; those of this page have none. */
async function conversing(ref: ModelRef, model: WorkerModel) {
  const asks = () => model.chatText([{ role: 'user', content: 'Hello' }]);
  const talks = ref.kind !== 'embedded' && (await asks().then(Boolean, () => false));
  return { kind: 'decoder' as const, model, talks };
}

const tokenOf = (ref: ModelRef) => (ref.kind === 'hub' && ref.token ? { token: ref.token } : {});

/** What a model is and how large, before a weight of it is fetched. */
export function inspect(ref: ModelRef, signal: AbortSignal): Promise<Inspection> {
  return engine.inspect(sourceOf(ref), { ...tokenOf(ref), signal });
}

/** A decoder beside the one that is shown, of files that the page made; whoever asks disposes of it. */
export function loadBeside(files: File[], signal: AbortSignal): Promise<WorkerModel> {
  return engine.load(files, { device: 'wasm', signal });
}

/** Closes the room that is open, and goes back to the text. */
export function leaveRoom(): void {
  void guest.value?.model.dispose();
  guest.value = undefined;
  if (shown.value) device.value = shown.value.device;
  else void show(embedded);
}

/** Loads a model, or what is shown again, on another device. */
export function runOn(next: Device, ref = opened.value?.ref ?? loading.value?.ref ?? embedded): void {
  device.value = next;
  void show(ref);
}
