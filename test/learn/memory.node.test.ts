import { testMemory } from './memory-case.ts';

testMemory('cpu');
testMemory('wasm');
