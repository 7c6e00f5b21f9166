/** Weights, keys and values of fewer bits than a half has, and bf16. */
export default import.meta.glob<string>(
  '../../../shaders/{cache-append-q8,cache/q8,weights/bf16,weights/q4,weights/q8,weights/scales}.wgsl',
  { query: '?raw', import: 'default', eager: true },
);
