import { crashTests } from './crash.ts';

// Every crash compiles all kernels anew; crash.full.e2e.test.ts has all calls and stages, in the worker too.
crashTests({ lanes: ['webgpu'], only: ['stream'], stages: [] });
