import { useState } from 'preact/hooks';
import type { WorkerModel } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { Figure } from '../inside/draw/figure.tsx';
import { useOnce } from '../inside/later.ts';
import { Failed } from '../rooms/failed.tsx';
import { useSettled } from '../rooms/later-text.ts';
import { wearing } from './adapter-on.ts';
import { words } from './words.ts';

const dials = { maxNewTokens: 48, temperature: 0.7 };

/** The same beginning gone on with, without and with what was learnt. */
export function GoesOn({ model, adapter }: { model: WorkerModel; adapter: Adapter }) {
  const [beginning, setBeginning] = useState(words.beginningOpening);
  const [seed, setSeed] = useState(1);
  const text = useSettled(beginning, 400);
  const { value, failure, stale } = useOnce(
    async (signal) => {
      const complete = () => model.complete(text, { ...dials, seed, signal });
      const before = await wearing(model, null, complete);
      signal.throwIfAborted();
      return { text, before, after: await wearing(model, adapter, complete) };
    },
    [model, adapter, text, seed],
  );
  return (
    <Figure title={words.goesOn} note={words.goesOnNote}>
      <div class="beginning">
        <input
          type="text"
          dir="auto"
          aria-label={words.beginning}
          value={beginning}
          onInput={(event) => setBeginning(event.currentTarget.value)}
        />
        <button type="button" class="plain" onClick={() => setSeed(seed + 1)}>
          {words.anotherSeed}
        </button>
      </div>
      <Failed failure={failure} />
      {value && (
        <div class="sides" data-stale={stale}>
          {(['before', 'after'] as const).map((side) => (
            <section key={side} aria-label={words[side]} data-side={side}>
              <h4>{words[side]}</h4>
              <p class="says" dir="auto">
                {value.text}
                <span class="written">{value[side].text}</span>
              </p>
            </section>
          ))}
        </div>
      )}
    </Figure>
  );
}
