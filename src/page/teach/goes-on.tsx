import { useState } from 'preact/hooks';
import type { WorkerModel } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { Sides } from './sides.tsx';
import { words } from './words.ts';

const dials = { maxNewTokens: 48, temperature: 0.7 };

/** The same beginning gone on with, without and with what was learnt. */
export function GoesOn({ model, adapter }: { model: WorkerModel; adapter: Adapter }) {
  const [beginning, setBeginning] = useState(words.beginningOpening);
  const [seed, setSeed] = useState(1);
  return (
    <Sides
      model={model}
      adapter={adapter}
      title={words.goesOn}
      note={words.goesOnNote}
      label={words.beginning}
      value={beginning}
      onValue={setBeginning}
      make={(text, signal) => model.complete(text, { ...dials, seed, signal })}
      by={seed}
      goesOn
    >
      <button type="button" class="plain" onClick={() => setSeed(seed + 1)}>
        {words.anotherSeed}
      </button>
    </Sides>
  );
}
