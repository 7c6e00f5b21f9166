/**
 * The page without a network: a service worker (service-worker.ts) keeps the whole build after the first visit. A new
 * build is fetched beside it, and taken when a page opens while no other shows the old one, so that no tab ever sees
 * files of two builds.
 */

/** Absent in pages that are not from https or localhost; Vite's server has no build to keep. */
const workers = import.meta.env.PROD ? navigator.serviceWorker : undefined;

/** Every open page shares it. */
const lock = 'vitrine-page';

/** Reloads the page if a newer build lies ready and no other tab is open; to be awaited before anything is shown. */
export async function takeUpdate(): Promise<void> {
  const waiting = workers?.controller && (await workers.getRegistration())?.waiting;
  if (waiting) {
    await navigator.locks.request(lock, { ifAvailable: true }, async (alone) => {
      if (!alone) return;
      const taken = new Promise((resolve) => workers?.addEventListener('controllerchange', resolve, { once: true }));
      waiting.postMessage('take over');
      await taken;
      location.reload();
      await new Promise(() => {}); // until the page is gone
    });
  }
  void navigator.locks?.request(lock, { mode: 'shared' }, () => new Promise(() => {}));
}

/** Begins to keep the page, or looks for a newer build of it. A browser that refuses has a page with a network only. */
export async function keepOffline(): Promise<void> {
  await workers?.register(new URL('service-worker.js', document.baseURI)).catch(() => {});
}
