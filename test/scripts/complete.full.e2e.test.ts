import { test } from 'vitest';
import { expectReference } from './complete.ts';

test('npm run complete streams the reference completion on webgpu', () => expectReference('webgpu'));
