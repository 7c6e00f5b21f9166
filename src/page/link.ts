import { effect, signal } from '@preact/signals';
import { insideOpen, startingView, view } from './inside-open.ts';
import { device, shown } from './models.ts';
import { fromHash, toHash } from './permalink.ts';
import { defaults, randomSeed } from './settings.ts';
import { linkOf, type ModelRef, parseModelRef } from './sources.ts';
import { colouring } from './tokens.ts';
import { prompt, replaceText, settings } from './writing.ts';

/** Keeps the address true to the page, and the page to the address. */

/** The model that the opened link asks for; the page downloads nothing unasked, so it asks the visitor first. */
export const askedModel = signal<ModelRef | undefined>(undefined);

const settleMs = 300; // browsers refuse more than about a hundred changes of the address in half a minute

/** The page as a link. */
export function currentLink(): string {
  const address = new URL(location.href);
  address.hash = currentHash();
  return address.href;
}

export function followLink(): void {
  open(location.hash);
  addEventListener('hashchange', () => open(location.hash));
  let timer = 0;
  effect(() => {
    const hash = currentHash();
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (location.hash.replace(/^#/, '') !== hash) window.history.replaceState(null, '', `#${hash}`);
    }, settleMs);
  });
}

function currentHash(): string {
  const model = askedModel.value ?? shown.value?.ref;
  return toHash({
    prompt: prompt.value,
    model: model && linkOf(model),
    device: device.value,
    settings: settings.value,
    colouring: colouring.value,
    inside: insideOpen.value ? view.value : undefined,
  });
}

function open(hash: string): void {
  if (!hash.replace(/^#/, '')) return;
  const link = fromHash(hash);
  settings.value = { ...defaults, seed: randomSeed(), ...link.settings };
  if (link.device) device.value = link.device;
  if (link.prompt !== undefined) replaceText(link.prompt);
  colouring.value = link.colouring;
  view.value = link.inside ?? startingView;
  insideOpen.value = link.inside !== undefined;
  const ref = link.model ? parseModelRef(link.model) : undefined;
  const isShown = ref && shown.value && linkOf(ref) === linkOf(shown.value.ref);
  askedModel.value = isShown ? undefined : ref;
}
