/** The variants that real GPUs like: many lanes on neighbouring addresses, and workgroup memory. */
export default import.meta.glob<string>(
  '../../../shaders/{attention-row-shared,attention-tile-shared,linear-row-lanes,linear-tile-shared}.wgsl',
  { query: '?raw', import: 'default', eager: true },
);
