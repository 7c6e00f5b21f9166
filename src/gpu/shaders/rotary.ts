/** What turns queries and keys by their positions. */
export default import.meta.glob<string>('../../../shaders/{rotate,rotate-append}.wgsl', {
  query: '?raw',
  import: 'default',
  eager: true,
});
