import { effect, signal } from '@preact/signals';
import { insideOpen, startingView, view } from './inside-open.ts';
import { device, loading, runOn, shown } from './models.ts';
import { type Device, fromHash, toHash } from './permalink.ts';
import { defaults, randomSeed } from './settings.ts';
import { embedded, linkOf, type ModelRef, parseModelRef } from './sources.ts';
import { colouring } from './tokens.ts';
import { openText, prompt, replaceText, settings } from './writing.ts';

/** Keeps the address true to the page, and the page to the address. */

/** The model that the opened link asks for; the page downloads nothing unasked, so it asks the visitor first. */
export const askedModel = signal<ModelRef | undefined>(undefined);

const settleMs = 300; // browsers refuse more than about a hundred changes of the address in half a minute

/** The page as a link, with its text. */
export function currentLink(): string {
  const address = new URL(location.href);
  address.hash = hashWith(prompt.value);
  return address.href;
}

/** The address as the page last read or wrote it. */
let known = '';
let timer = 0;

export function followLink(): void {
  openText(fromHash(location.hash).prompt);
  openAddress(() => {});
  effect(writeAddress);
  addEventListener('hashchange', () => openAddress());
}

/** Opens the address if it is another than the page knows: its event may come after a click that followed it. */
export function openAddress(openPrompt = replaceText): void {
  if (location.hash === known) return;
  known = location.hash;
  open(known, openPrompt);
  writeAddress(); // an address that changes nothing is not what the page would write
}

function writeAddress(): void {
  const hash = hashWith(undefined);
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    if (location.hash !== known) return; // its event is on the way
    if (known.replace(/^#/, '') !== hash) window.history.replaceState(null, '', `#${hash}`);
    known = location.hash;
  }, settleMs);
}

function hashWith(text: string | undefined): string {
  const model = askedModel.value ?? shown.value?.ref;
  return toHash({
    prompt: text,
    model: model && linkOf(model),
    device: device.value,
    settings: settings.value,
    colouring: colouring.value,
    inside: insideOpen.value ? view.value : undefined,
  });
}

function open(hash: string, openPrompt: (text: string) => void): void {
  if (!hash.replace(/^#/, '')) return;
  const link = fromHash(hash);
  settings.value = { ...defaults, seed: randomSeed(), ...link.settings };
  if (link.prompt !== undefined) openPrompt(link.prompt);
  colouring.value = link.colouring;
  view.value = link.inside ?? startingView;
  insideOpen.value = link.inside !== undefined;
  openModel(link.model ? parseModelRef(link.model) : embedded, link.device ?? 'auto');
}

function openModel(ref: ModelRef | undefined, on: Device): void {
  const current = loading.value?.ref ?? shown.value?.ref;
  const isCurrent = ref && current && linkOf(ref) === linkOf(current);
  askedModel.value = ref === embedded || isCurrent ? undefined : ref;
  const next = ref === embedded ? embedded : current;
  // Without a current one the page is about to load its first.
  if (!current) device.value = on;
  else if (next !== current || on !== device.value) runOn(on, next);
}
