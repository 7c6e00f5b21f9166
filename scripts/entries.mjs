/** The package's entries: the name of its file in dist/ -> its source. `exports` in package.json gives each its public name. */
export const entries = {
  vitrine: 'src/index.ts',
  'vitrine-worker': 'src/embed/client.ts',
  engine: 'src/embed/worker.ts',
  static: 'src/static.ts',
  analysis: 'src/analysis/index.ts',
  learn: 'src/learn/index.ts',
  elements: 'src/embed/elements.ts',
  openai: 'src/embed/openai.ts',
  'ai-sdk': 'src/embed/ai-sdk.ts',
  react: 'src/embed/react.ts',
};
