import { svelte } from '@sveltejs/vite-plugin-svelte';

// Bundled ahead of time by the development server, the engine would not find its worker.
export default { plugins: [svelte()], optimizeDeps: { exclude: ['vitrine'] } };
