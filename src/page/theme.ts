import { effect, signal } from '@preact/signals';
import { remember, remembered } from './state/kept.ts';

type Theme = 'light' | 'dark';

const systemDark = matchMedia('(prefers-color-scheme: dark)');
const system = signal<Theme>(systemDark.matches ? 'dark' : 'light');
const last = remembered('theme');
const chosen = signal<Theme | undefined>(last === 'dark' || last === 'light' ? last : undefined);

/** Shows the remembered theme, or follows the system's as it changes. */
export function followTheme(): void {
  systemDark.addEventListener('change', () => {
    system.value = systemDark.matches ? 'dark' : 'light';
  });
  effect(() => {
    document.documentElement.dataset.theme = currentTheme();
  });
}

export function currentTheme(): Theme {
  return chosen.value ?? system.value;
}

/** The other theme from now on; back to following the system when that is what the system has. */
export function switchTheme(): void {
  const next = currentTheme() === 'dark' ? 'light' : 'dark';
  chosen.value = next === system.value ? undefined : next;
  remember('theme', chosen.value);
}
