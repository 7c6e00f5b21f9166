// What each choice of weight formats costs in perplexity:
//   node bench/quantisation.mjs [FOLDER] [TEXTS] [TOKENS] [--drawn-only] [--choices REGEXP]
// The embedded model by default. The tables are docs/quantisation.md's.
import { join } from 'node:path';
import { runnerImport } from 'vite';

// Vite ends its module runner when the import is done, and with it what would be imported later: the module does it all.
await runnerImport(join(import.meta.dirname, 'quantisation.ts'));
