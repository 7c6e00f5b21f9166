import { crashTests } from './crash.ts';

crashTests({ lanes: ['webgpu', 'worker'], stages: ['config', 'tokenizer', 'weights', 'ready'] });
