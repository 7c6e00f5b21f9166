import { join } from 'node:path';
import { worksIn } from './runtimes.ts';

const runtimes = {
  Deno: (bin: string) => [join(bin, 'deno'), 'run', '-A'],
  Bun: (bin: string) => [join(bin, 'bun')],
};
await worksIn(runtimes, ['deno@2', 'bun@1']);
