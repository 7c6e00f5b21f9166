import { effect, signal } from '@preact/signals';

export type Theme = 'light' | 'dark';

const key = 'vitrine-theme';
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const system = signal<Theme>(systemDark.matches ? 'dark' : 'light');
const chosen = signal<Theme | undefined>(remembered());

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
  try {
    if (chosen.value) localStorage.setItem(key, chosen.value);
    else localStorage.removeItem(key);
  } catch {
    // storage is closed to this page: the choice lasts until it is left
  }
}

function remembered(): Theme | undefined {
  try {
    const value = localStorage.getItem(key);
    return value === 'dark' || value === 'light' ? value : undefined;
  } catch {
    return undefined;
  }
}
