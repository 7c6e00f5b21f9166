import { effect, signal } from '@preact/signals';
import { embeddedKinds } from './embedded.ts';
import {
  askedExperiment,
  type Experiment,
  experiment,
  insideOpen,
  nothingTried,
  startingView,
  view,
} from './inside-open.ts';
import { device, guest, loading, opened, openRoomText, recallRoom, roomText, runOn } from './models.ts';
import { type Device, fromHash, type Link, toHash } from './permalink.ts';
import { defaults, randomSeed } from './settings.ts';
import { embedded, isSame, linkOf, type ModelRef, parseModelRef } from './sources.ts';
import { branchesIn, spelledBranches } from './state/shared.ts';
import { colouring } from './tokens.ts';
import { openDocument, openText, page, prompt, replaceText, settings } from './writing.ts';

/** Keeps the address true to the page, and the page to the address. */

/** The model that the opened link asks for; the page downloads nothing unasked, so it asks the visitor first. */
export const askedModel = signal<ModelRef | undefined>(undefined);

const settleMs = 300; // browsers refuse more than about a hundred changes of the address in half a minute

/** The page as a link, with its text. */
export function currentLink(): string {
  const address = new URL(location.href);
  address.hash = hashWith(guest.value ? openRoomText() : prompt.value, true);
  return address.href;
}

/** The address as the page last read or wrote it. */
let known = '';
let timer = 0;
/** The model that the page is to open when it begins. */
let first = embedded;
let links = 0;

/** @returns the model to open first */
export function followLink(): ModelRef {
  const link = fromHash(location.hash);
  openText(isOfRoom(link) ? undefined : link.prompt);
  recallRoom();
  openAddress(() => {});
  effect(writeAddress);
  addEventListener('hashchange', () => openAddress());
  return first;
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

/** @param isShared with all that the visitor wrote: other ways of the text, activations of another text */
function hashWith(text: string | undefined, isShared = false): string {
  const model = askedModel.value ?? opened.value?.ref;
  return toHash({
    prompt: text,
    model: model && linkOf(model),
    device: device.value,
    settings: settings.value,
    colouring: colouring.value,
    inside: insideOpen.value ? view.value : undefined,
    experiment: isShared ? experiment.value : withoutTexts(experiment.value),
    ...(isShared && !guest.value && { branches: spelledBranches(page.value) }),
  });
}

const withoutTexts = (tried: Experiment): Experiment => ({
  ...tried,
  touches: tried.touches.filter((touch) => !touch.startsWith('patch')),
});

function open(hash: string, openPrompt: (text: string) => void): void {
  if (!hash.replace(/^#/, '')) return;
  const link = fromHash(hash);
  settings.value = { ...defaults, seed: randomSeed(), ...link.settings };
  const ref = modelOf(link);
  if (ref && isOfRoom(link)) {
    const isReload = !loading.value && !opened.value;
    if (link.prompt !== undefined || !isReload) roomText.value = { ref, text: link.prompt, link: ++links };
  } else if (link.prompt !== undefined) openPrompt(link.prompt);
  const ways = link.branches && !isOfRoom(link) ? branchesIn(link.branches) : undefined;
  if (ways) openDocument(ways);
  colouring.value = link.colouring;
  view.value = link.inside ?? startingView;
  insideOpen.value = link.inside !== undefined;
  // A link with nothing tried out ends what was.
  askedExperiment.value = link.inside && (link.experiment ?? nothingTried);
  openModel(ref, link.device ?? 'auto');
}

const modelOf = ({ model }: Link) => (model ? parseModelRef(model) : embedded);

/** Its text is for a model of this page that does not write. */
function isOfRoom(link: Link): boolean {
  const ref = modelOf(link);
  return ref?.kind === 'embedded' && embeddedKinds[ref.name] !== 'decoder';
}

/** Models of this page are opened; the visitor is asked about others. */
function openModel(ref: ModelRef | undefined, on: Device): void {
  const current = loading.value?.ref ?? opened.value?.ref;
  const isOwn = ref?.kind === 'embedded';
  askedModel.value = isOwn || isSame(ref, current) ? undefined : ref;
  const next = (isOwn ? ref : current) ?? embedded;
  if (!current) {
    first = next;
    device.value = on;
  } else if (!isSame(next, current) || on !== device.value) runOn(on, next);
}
