import { basename, isAbsolute, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../../src/load/open.ts';
import { type TensorType, tensorTypes } from './layout.ts';
import { writeGguf } from './write.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    type: { type: 'string', default: 'q8_0' },
    name: { type: 'string' },
    'without-tokenizer': { type: 'boolean', default: false },
  },
});
const [source, out, ...more] = positionals;
const isType = (text: string): text is TensorType => Object.hasOwn(tensorTypes, text);
if (source === undefined || out === undefined || more.length > 0 || !isType(values.type)) {
  console.error('npm run gguf -- FOLDER|URL|ID OUT --type f32|f16|q8_0|q4_0 [--name NAME] [--without-tokenizer]');
  process.exit(2);
}

const isPath = isAbsolute(source) || /^\.{1,2}(\/|$)/.test(source);
const { type, name = isPath ? basename(resolve(source)) : source, 'without-tokenizer': withoutTokenizer } = values;
const bytes = await writeGguf(await openCheckpoint(source), out, { type, name, withoutTokenizer });
console.log(`${out}: ${(bytes / 1e6).toFixed(1)} MB`);
