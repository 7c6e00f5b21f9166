import react from '@vitejs/plugin-react';

// Bundled ahead of time by the development server, the engine would not find its worker.
export default { plugins: [react()], optimizeDeps: { exclude: ['vitrine'] } };
