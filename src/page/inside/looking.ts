import { computed, signal } from '@preact/signals';
import { view } from '../inside-open.ts';
import { shown } from '../models.ts';
import { isSame, type ModelRef } from '../sources.ts';
import { keepInView } from './into-view.ts';
import { current } from './reading.ts';

/** Where the visitor looks: which token, block and head the pictures are of, which stations are unfolded, which cell is asked about. */

const within = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));

/** The token looked at; the last one until another is chosen. */
export const position = computed(() => {
  const last = (current.value?.ids.length ?? 1) - 1;
  return view.value.position === undefined ? last : within(view.value.position, last + 1);
});
export const layer = computed(() => within(view.value.layer, current.value?.model.config.nLayer ?? 1));
export const head = computed(() => within(view.value.head, current.value?.model.config.nHead ?? 1));

/** To choose the last token is to follow it: it stays the one looked at while the text grows. */
export function lookAt(where: { position?: number | undefined; layer?: number; head?: number }): void {
  const next = { ...view.value, ...where };
  const last = (current.value?.ids.length ?? 1) - 1;
  if (next.position !== undefined) next.position = Math.max(0, next.position);
  view.value = { ...next, position: next.position !== undefined && next.position >= last ? undefined : next.position };
}

export const stations = [
  'overview',
  'input',
  'block',
  'neuron',
  'output',
  'spoke',
  'moved',
  'touch',
  'compare',
  'runs',
] as const;
export type StationName = (typeof stations)[number];

export const unfolded = computed<ReadonlySet<string>>(() => new Set(view.value.stations));

export function unfold(name: StationName, open = true): void {
  const others = view.value.stations.filter((other) => other !== name);
  view.value = { ...view.value, stations: open ? [...others, name] : others };
}

/** Stops keeping the station that was opened last in view. */
let leaveLast = () => {};

/** Unfolds a station and brings it into view. */
export function open(name: StationName): void {
  leaveLast();
  unfold(name);
  const section = document.getElementById(`station-${name}`);
  if (section) leaveLast = keepInView(section, section);
}

/** One number of the model: of a tensor by its hook name, or of a weight by its name; indices along its shape. */
export interface Cell {
  kind: 'tensor' | 'weight';
  name: string;
  /** Of a tensor [rows, n], [rows, nHead, n] or [nHead, rows, keys], as its shape says; of a weight [row, column]. */
  index: readonly number[];
}

/** The cell whose origin is shown. */
export const cell = signal<Cell | undefined>(undefined);

/** What is asked of a model by numbers of its own: of another one they are other neurons and other words. */
interface Asked {
  of: ModelRef | undefined;
  neuron?: number | undefined;
  word?: number | undefined;
  rather?: number | undefined;
}

const asked = signal<Asked | undefined>(undefined);
const own = computed(() => (isSame(asked.value?.of, shown.value?.ref) ? asked.value : undefined));

/** The neuron looked at, in whichever block is; undefined: the one that is most active at the token looked at. */
export const neuron = computed(() => own.value?.neuron);
/** The token that is asked who spoke for it, and the one that it is held against; undefined: the likeliest, and none. */
export const word = computed(() => own.value?.word);
export const rather = computed(() => own.value?.rather);

export function ask(what: Omit<Asked, 'of'>): void {
  asked.value = { ...own.peek(), ...what, of: shown.peek()?.ref };
}

/** Whose number a cell of an MLP is. */
export function neuronOf(of: Cell | undefined): { layer: number; neuron: number } | undefined {
  const [, block] = /^blocks\.(\d+)\.mlp\.hook_(pre|pre_linear|gate|post)$/.exec(of?.name ?? '') ?? [];
  return block === undefined ? undefined : { layer: Number(block), neuron: of!.index[1]! };
}

/** Shows a neuron: where it fires, what it writes. */
export function openNeuron(of: { layer: number; neuron: number }): void {
  lookAt({ layer: of.layer });
  ask({ neuron: of.neuron });
  open('neuron');
}

export function sameCell(a: Cell | undefined, b: Cell | undefined): boolean {
  return a?.kind === b?.kind && a?.name === b?.name && String(a?.index) === String(b?.index);
}
