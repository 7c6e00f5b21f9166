import { type Experiment, numbersTried, startingView, type View } from './inside-open.ts';
import { type Dial, defaults, dials, fitted, fittedSeed, type Settings } from './settings.ts';

/** What a link to the page restores. */
export interface Link {
  prompt?: string;
  /** A hub id or an address; absent for the embedded model (and for files, which no link can hold). */
  model?: string;
  device?: Device;
  settings: Partial<Settings>;
  /** How tokens are coloured; absent for not at all. */
  colouring?: Colouring;
  /** Absent while the model is closed. */
  inside?: View;
  /** Absent where nothing is tried out. */
  experiment?: Experiment;
  /** The ways the text went, spelled by `state/shared.ts`; absent where it went one. */
  branches?: string;
}

export const colourings = ['probability', 'rank', 'entropy'] as const;
export type Colouring = (typeof colourings)[number];

export const devices = ['auto', 'webgpu', 'wasm', 'cpu'] as const;
export type Device = (typeof devices)[number];

const keys: Record<Dial, string> = {
  temperature: 'temperature',
  topK: 'top-k',
  topP: 'top-p',
  minP: 'min-p',
  typicalP: 'typical-p',
  repetitionPenalty: 'repetition-penalty',
  frequencyPenalty: 'frequency-penalty',
  presencePenalty: 'presence-penalty',
  maxNewTokens: 'max-new-tokens',
};

/** The part of the address after `#`; dials at their default are left out. */
export function toHash({ prompt, model, device, settings, colouring, inside, experiment, branches }: Link): string {
  const parts = new URLSearchParams();
  if (prompt !== undefined) parts.set('prompt', prompt);
  if (branches) parts.set('branches', branches);
  if (model) parts.set('model', model);
  if (device && device !== 'auto') parts.set('device', device);
  for (const dial of dials) {
    const value = settings[dial];
    if (value !== undefined && value !== defaults[dial]) parts.set(keys[dial], String(value));
  }
  if (settings.seed !== undefined) parts.set('seed', String(settings.seed));
  if (colouring) parts.set('colour', colouring);
  if (inside) {
    parts.set('inside', inside.stations.join(' '));
    if (inside.layer) parts.set('block', String(inside.layer));
    if (inside.head) parts.set('head', String(inside.head));
    if (inside.position !== undefined) parts.set('token', String(inside.position));
    if (experiment?.lesson) parts.set('lesson', experiment.lesson);
    if (experiment?.cell) parts.set('cell', experiment.cell);
    for (const name of numbersTried) {
      if (experiment?.[name] !== undefined) parts.set(name, String(experiment[name]));
    }
    for (const touch of experiment?.touches ?? []) parts.append('touch', touch);
  }
  return parts.toString();
}

/** Reads what `toHash` wrote. A link comes from anywhere: what is unknown or no number is left out, the rest fitted. */
export function fromHash(hash: string): Link {
  const parts = new URLSearchParams(hash.replace(/^#/, ''));
  const settings: Partial<Settings> = {};
  for (const dial of dials) {
    const value = fitted(dial, Number.parseFloat(parts.get(keys[dial]) ?? ''));
    if (value !== undefined) settings[dial] = value;
  }
  const seed = fittedSeed(Number(parts.get('seed') ?? Number.NaN));
  if (seed !== undefined) settings.seed = seed;
  return {
    prompt: parts.get('prompt')?.replace(/\r\n?/g, '\n'),
    model: parts.get('model') || undefined,
    device: devices.find((device) => device === parts.get('device')),
    settings,
    colouring: colourings.find((colouring) => colouring === parts.get('colour')),
    inside: parts.has('inside') ? viewIn(parts) : undefined,
    experiment: parts.has('inside') ? experimentIn(parts) : undefined,
    branches: parts.get('branches') || undefined,
  };
}

function experimentIn(parts: URLSearchParams): Experiment | undefined {
  const found = {
    lesson: parts.get('lesson') || undefined,
    cell: parts.get('cell') || undefined,
    ...Object.fromEntries(numbersTried.map((name) => [name, countIn(parts, name)])),
  };
  const touches = parts.getAll('touch');
  const isTried = touches.length > 0 || Object.values(found).some((one) => one !== undefined);
  return isTried ? { ...found, touches } : undefined;
}

function countIn(parts: URLSearchParams, key: string): number | undefined {
  const text = parts.get(key) ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function viewIn(parts: URLSearchParams): View {
  return {
    stations: (parts.get('inside') ?? '').split(' ').filter(Boolean),
    layer: countIn(parts, 'block') ?? startingView.layer,
    head: countIn(parts, 'head') ?? startingView.head,
    position: countIn(parts, 'token'),
  };
}
