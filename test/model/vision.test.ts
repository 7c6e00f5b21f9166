import { describe, expect, test } from 'vitest';
import { parseImageSettings } from '../../src/image/settings.ts';
import { Vision } from '../../src/run/vision.ts';
import { backends } from '../backends.ts';
import { expectClose } from '../close.ts';
import { readFixtureJson } from '../fixtures.ts';
import { familyExpected, openFamily, tensorsOf } from './families.ts';

async function openVision(backend: (typeof backends)[number]) {
  const { checkpoint, engine } = await openFamily(backend, 'vit', 'vision');
  const json = await readFixtureJson('families/vit/preprocessor_config.json');
  return new Vision(checkpoint.config, parseImageSettings(json, '', checkpoint.config), engine, {
    dtype: 'f32',
    reason: '',
  });
}

describe.each(backends)('vit on $name', (backend) => {
  test('hidden states, logits and every intermediate', async () => {
    const vision = await openVision(backend);
    const { cases, accept, trace } = await familyExpected('vit');
    const expected = await tensorsOf('vit', 'expected.safetensors');
    for (const { name, outputs } of cases) {
      const { data, shape } = expected.get(`${name}.pixel_values`)!;
      const input = { pixels: data, shape: shape.slice(1) };
      const { hidden, logits } = await vision.run(input);
      expectClose(logits.data, expected.get(outputs.logits!.tensor)!.data, { absolute: accept.logits! }, name);
      const given = outputs.last_hidden_state;
      if (given)
        expectClose(hidden.data, expected.get(given.tensor)!.data, { absolute: accept.last_hidden_state! }, name);
      if (name !== trace!.case) continue;
      const wanted = await tensorsOf('vit', 'trace.safetensors');
      const found = await vision.trace(input, { capture: [...wanted.keys()] });
      for (const [tensor, { data, shape }] of wanted) {
        expect(found.get(tensor)!.shape, tensor).toEqual(shape.slice(1));
        expectClose(found.get(tensor)!.data, data, { relative: trace!.accept_relative_to_largest }, tensor);
      }
    }
    vision.dispose();
  });
});
