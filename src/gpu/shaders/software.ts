/** The variants that GPUs in software like: many results an invocation, and no barrier. */
export default import.meta.glob<string>(
  '../../../shaders/{attention-row,attention-tile,linear-quads,linear-registers,linear-row,linear-tile,quads}.wgsl',
  { query: '?raw', import: 'default', eager: true },
);
