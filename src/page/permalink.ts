import { type Dial, defaults, dials, fitted, fittedSeed, type Settings } from './settings.ts';

/** What a link to the page restores. */
export interface Link {
  prompt?: string;
  /** A hub id or an address; absent for the embedded model (and for files, which no link can hold). */
  model?: string;
  device?: Device;
  settings: Partial<Settings>;
}

export const devices = ['auto', 'webgpu', 'wasm', 'cpu'] as const;
export type Device = (typeof devices)[number];

const keys: Record<Dial, string> = {
  temperature: 'temperature',
  topK: 'top-k',
  topP: 'top-p',
  minP: 'min-p',
  repetitionPenalty: 'repetition-penalty',
  maxNewTokens: 'max-new-tokens',
};

/** The part of the address after `#`; dials at their default are left out. */
export function toHash({ prompt, model, device, settings }: Link): string {
  const parts = new URLSearchParams();
  if (prompt !== undefined) parts.set('prompt', prompt);
  if (model) parts.set('model', model);
  if (device && device !== 'auto') parts.set('device', device);
  for (const dial of dials) {
    const value = settings[dial];
    if (value !== undefined && value !== defaults[dial]) parts.set(keys[dial], String(value));
  }
  if (settings.seed !== undefined) parts.set('seed', String(settings.seed));
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
    prompt: parts.get('prompt') ?? undefined,
    model: parts.get('model') || undefined,
    device: devices.find((device) => device === parts.get('device')),
    settings,
  };
}
