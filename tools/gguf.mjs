// Writes a checkpoint as a GGUF file, which llama.cpp reads too:
//   npm run gguf -- FOLDER|URL|ID OUT --type f32|f16|q8_0|q4_0 [--name NAME] [--without-tokenizer]
import { join } from 'node:path';
import { runnerImport } from 'vite';

// Vite ends its module runner when the import is done, and with it what would be imported later: the module does it all.
await runnerImport(join(import.meta.dirname, 'gguf/main.ts'));
