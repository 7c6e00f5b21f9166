import { folders, testGradients } from './gradient-case.ts';

testGradients('cpu', folders);
