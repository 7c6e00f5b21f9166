import { signal } from '@preact/signals';

/**
 * The page without a network: a service worker (service-worker.ts) keeps the whole build after the first visit. A new
 * build is fetched beside it, and taken when a page opens while no other shows the old one, so that no tab ever sees
 * files of two builds.
 */

/** A newer build lies ready, and cannot be taken while other tabs show this one. */
export const updateWaits = signal(false);

/** Absent in pages that are not from https or localhost; Vite's server has no build to keep. */
const workers = import.meta.env.PROD ? navigator.serviceWorker : undefined;

/** A page opens without the newer build if that does not take over for so long. */
const patienceMs = 3000;

/** Every open page shares it. */
const lock = 'vitrine-page';

/** Reloads the page if a newer build lies ready and no other tab is open; to be awaited before anything is shown. */
export async function takeUpdate(): Promise<void> {
  const controller = workers?.controller;
  if (controller) {
    const waiting = (await workers.getRegistration())?.waiting;
    await navigator.locks.request(lock, { ifAvailable: true }, async (alone) => {
      if (!alone) {
        updateWaits.value = waiting != null;
        return;
      }
      if (!waiting) return controller.postMessage('drop others');
      if (!(await takesOver(waiting))) return;
      location.reload();
      await new Promise(() => {}); // until the page is gone
    });
  }
  void navigator.locks?.request(lock, { mode: 'shared' }, () => new Promise(() => {}));
}

/** Whether a build that lies ready takes over, as it is asked to. One that does not shall not keep the page from opening. */
function takesOver(build: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    const look = () => build.state === 'activated' && resolve(true);
    build.addEventListener('statechange', look);
    build.postMessage('take over');
    look(); // it may have taken over by itself
    setTimeout(() => resolve(false), patienceMs);
  });
}

/** Begins to keep the page and to serve this one, or looks for a newer build of it. A browser that refuses has a page with a network only. */
export async function keepOffline(): Promise<void> {
  const registration = await workers?.register(new URL('service-worker.js', document.baseURI)).catch(() => undefined);
  registration?.addEventListener('updatefound', () => {
    const build = registration.installing;
    build?.addEventListener('statechange', async () => {
      if (build.state === 'installed' && workers?.controller) updateWaits.value = !(await isAlone());
    });
  });
  if (!workers || workers.controller) return;
  const { active } = await workers.ready;
  const claim = () => active?.state === 'activated' && active.postMessage('claim');
  active?.addEventListener('statechange', claim);
  claim();
}

/** Whether no other tab shows the page. */
async function isAlone(): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  return held.filter(({ name }) => name === lock).length < 2;
}
