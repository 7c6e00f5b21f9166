import { compiles, projects } from './types.ts';

compiles({ '5.4': projects, '5.9': projects, '7.0': projects });
