import { worksIn } from './runtimes.ts';

await worksIn({ Node: () => [process.execPath] }, []);
