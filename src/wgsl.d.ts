/** The text of a shader, as Vite's `?raw` imports it. */
declare module '*.wgsl?raw' {
  const source: string;
  export default source;
}
