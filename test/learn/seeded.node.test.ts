import { testSeeded } from './seeded-case.ts';

testSeeded('cpu');
testSeeded('wasm');
