/** Steps that are parts of others unless somebody looks at their tensors, and edits. */
export default import.meta.glob<string>(
  '../../../shaders/{activation,attention-mix,attention-scores,binary,edit,masked-softmax}.wgsl',
  { query: '?raw', import: 'default', eager: true },
);
