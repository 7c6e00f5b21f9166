import { useState } from 'preact/hooks';
import { commonDials, type Dial, defaults, dials, fittedSeed, maxSeed, randomSeed, ranges } from '../settings.ts';
import { strings } from '../strings.ts';
import { set, settings } from '../writing.ts';
import { DialRow } from './dial-row.tsx';
import { Dice } from './icons.tsx';
import { TypedValue } from './typed-value.tsx';

const roomy = matchMedia('(min-width: 62rem)');

/** How the next token is drawn: a slider each, the seed, and one line that explains the one being touched. */
export function Sampling() {
  const [touched, setTouched] = useState<Dial | 'seed' | undefined>(undefined);
  const [open, setOpen] = useState(roomy.matches);
  const greedy = settings.value.temperature === 0;
  const [unfolded, setUnfolded] = useState(false);
  const more = unfolded || dials.some((dial) => !commonDials.includes(dial) && settings.value[dial] !== defaults[dial]);
  const changed = dials.some((dial) => settings.value[dial] !== defaults[dial]);
  return (
    <details class="sampling" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>{strings.sampling}</h2>
        <span class="summary">{strings.summary(settings.value.temperature, settings.value.maxNewTokens)}</span>
      </summary>
      {(more ? dials : commonDials).map((dial) => (
        <DialRow
          key={dial}
          dial={dial}
          value={settings.value[dial]}
          idle={greedy && ranges[dial].samplingOnly}
          onChange={(value) => set(dial, value)}
          onTouch={() => setTouched(dial)}
        />
      ))}
      <SeedRow idle={greedy} onTouch={() => setTouched('seed')} />
      <div class="more">
        <button type="button" class="quiet" aria-expanded={more} onClick={() => setUnfolded(!unfolded)}>
          {more ? strings.fewerDials : strings.moreDials}
        </button>
        {changed && (
          <button type="button" class="quiet" onClick={() => (settings.value = { ...settings.value, ...defaults })}>
            {strings.defaults}
          </button>
        )}
      </div>
      <p class="meaning" id="meaning" data-roomy={more}>
        {meaning(touched, greedy)}
      </p>
    </details>
  );
}

function meaning(touched: Dial | 'seed' | undefined, greedy: boolean): string {
  if (greedy && (!touched || touched === 'temperature')) return strings.greedyNote;
  if (touched === 'seed') return strings.seedMeaning;
  return touched ? strings.dials[touched][1] : '';
}

function SeedRow({ idle, onTouch }: { idle: boolean; onTouch: () => void }) {
  return (
    <div class="dial seed" data-idle={idle} onPointerEnter={onTouch} onFocusCapture={onTouch}>
      <label for="seed">{strings.seed}</label>
      <button type="button" class="quiet" onClick={() => set('seed', randomSeed())} title={strings.dice}>
        <Dice />
        <span class="unseen">{strings.dice}</span>
      </button>
      <TypedValue
        id="seed"
        text={String(settings.value.seed)}
        read={(text) => fittedSeed(Number(text || Number.NaN))}
        onChange={(seed) => set('seed', seed)}
        digits={String(maxSeed).length}
      />
    </div>
  );
}
