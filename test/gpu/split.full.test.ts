import { testParts } from './split-case.ts';

testParts(['f32', 'f16', 'q4']);
