// Bundled ahead of time by the development server, the engine would not find its worker.
export default { optimizeDeps: { exclude: ['vitrine'] } };
