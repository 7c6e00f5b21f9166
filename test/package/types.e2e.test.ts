import { compiles, projects } from './types.ts';

// The older compilers check the declarations of the platform too, for seconds each; all are in test:full.
compiles({ '5.4': [projects[2]!, projects[3]!], '7.0': projects });
