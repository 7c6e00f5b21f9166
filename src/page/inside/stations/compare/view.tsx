import './style.css';
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { inLine, percent, typedInLine, visible } from '../../../format.ts';
import { largest, rowOf } from '../../../shares.ts';
import { shownText } from '../../../writing.ts';
import { Failure, Figure, Quoting } from '../../draw/figure.tsx';
import { NamedMap } from '../../draw/map.tsx';
import { Legend } from '../../draw/part.tsx';
import { isAbort } from '../../later.ts';
import { lookAt } from '../../looking.ts';
import { reading, touched } from '../../reading.ts';
import { useTexts } from '../../texts.ts';
import { placeOf, type Touch, touch, touches, untouch } from '../../touch.ts';
import { Prediction } from '../touch/prediction.tsx';
import { type Refusal, type Sweep, sweepOf, type Way, ways } from './sweep.ts';
import { words } from './words.ts';

/** What was typed as the second text; undefined: nothing yet, the own text stands there to be changed. */
const typed = signal<string | undefined>(undefined);
const way = signal<Way>('runs');

/** Two texts, and where in the model what differs between them decides what comes next. */
export function Compare() {
  const own = reading.value;
  const { sweep, refusal, failure, running, start, stop } = useSweep();
  if (!own) return null;
  const text = typed.value ?? shownText.value;
  return (
    <>
      <Figure title={words.other} note={words.otherNote}>
        <form
          class="compare-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (running) stop();
            else start(text);
          }}
        >
          <input
            type="text"
            dir="auto"
            aria-label={words.other}
            value={inLine(text)}
            onInput={({ currentTarget }) => (typed.value = typedInLine(text, currentTarget.value))}
          />
          <button type="submit" class="plain">
            {running ? words.stop : words.compare}
          </button>
        </form>
        <fieldset class="choices">
          <legend>{words.how}</legend>
          {ways.map((one) => (
            <label key={one}>
              <input type="radio" name="compare-way" checked={one === way.value} onChange={() => (way.value = one)} />
              <span>{words.ways[one]}</span>
            </label>
          ))}
        </fieldset>
        {way.value === 'gradient' && <p class="summary">{words.rough}</p>}
        <p role="status" class="summary">
          {refusal && saidOf(refusal)}
          {sweep?.way === 'runs' && running && words.progress(sweep.done, sweep.total)}
        </p>
        {running && sweep?.way === 'runs' && <progress aria-label={words.map} value={sweep.done} max={sweep.total} />}
      </Figure>
      {failure !== undefined && <Failure what={failure} />}
      {sweep && sweep.own === own && <Found sweep={sweep} />}
      {sweep && sweep.own !== own && <p class="summary">{words.changed}</p>}
    </>
  );
}

function saidOf(refusal: Refusal): string {
  if (typeof refusal === 'string') return words[refusal];
  return words.counts(refusal.own, refusal.other);
}

/** One sweep at a time; one whose text is gone, or that nobody sees any more, is left. */
function useSweep() {
  const own = reading.value;
  const [sweep, setSweep] = useState<Sweep | undefined>(undefined);
  const [refusal, setRefusal] = useState<Refusal | undefined>(undefined);
  const [failure, setFailure] = useState<unknown>(undefined);
  const [running, setRunning] = useState(false);
  const abort = useRef<AbortController | undefined>(undefined);
  const stop = () => {
    abort.current?.abort();
    setRunning(false);
  };
  const start = async (text: string) => {
    stop();
    const mine = new AbortController();
    abort.current = mine;
    const show =
      <T,>(set: (value: T) => void) =>
      (value: T) =>
        mine.signal.aborted || set(value);
    setSweep(undefined);
    setRefusal(undefined);
    setFailure(undefined);
    setRunning(true);
    try {
      show(setRefusal)(await sweepOf(own!, text, way.value, mine.signal, show(setSweep)));
    } catch (error) {
      if (!isAbort(error)) show(setFailure)(error);
    }
    show(setRunning)(false);
  };
  useEffect(() => stop, [own]);
  return { sweep, refusal, failure, running, start: (text: string) => void start(text), stop };
}

function Found({ sweep }: { sweep: Sweep }) {
  const { own, other, right, wrong, shares } = sweep;
  const [failure, setFailure] = useState<unknown>(undefined);
  const { nLayer } = own.model.config;
  const tokens = own.ids.length;
  const texts = useTexts(own.model, [right, wrong]);
  const [wrongText, rightText] = [wrong, right].map((id) => visible(texts.get(id) ?? '…'));
  const names = own.texts.map(visible);
  const differs = (at: number) => own.ids[at] !== other.ids[at];
  return (
    <div class="compare">
      <Figure title={words.map} note={<Quoting text={words.question(wrongText!, rightText!)} />} take="two-texts">
        <NamedMap
          label={words.mapLabel}
          data={shares}
          rows={nLayer}
          columns={tokens}
          scale="signed"
          limit={1}
          tensor="patching"
          rowNames={Array.from({ length: nLayer }, (_, i) => String(i))}
          columnNames={names}
          axes={[words.block, words.pieces]}
          strong={differs}
          describe={(row, column) => words.at(row, names[column]!)}
          onPick={(row, column) => void patch(sweep, row, column).catch((error) => isAbort(error) || setFailure(error))}
          cellSize={[Math.max(8, Math.min(64, 760 / tokens)), Math.max(12, Math.min(32, 420 / nLayer))]}
        />
        <Legend scale="signed" limit={1} over={shares.some((share) => share > 1)} />
        <p>
          {sweep.done === sweep.total && <Best {...sweep} />} {words.click}
        </p>
        {failure !== undefined && <Failure what={failure} />}
      </Figure>
      <Patched own={own} other={other} />
    </div>
  );
}

/** Where the difference is by then, when it is no longer only where the texts differ. */
function Best({ own, shares }: Sweep) {
  const tokens = own.ids.length;
  const [at] = largest(shares.subarray(tokens), 1);
  if (at === undefined) return null;
  const [layer, token] = [1 + Math.floor(at / tokens), at % tokens];
  return (
    <span data-best={`${layer} ${token}`}>
      <Quoting text={words.best(layer, visible(own.texts[token]!), percent(shares[tokens + at]!))} />
    </span>
  );
}

/** Puts the other text's stream of one place into the own text. */
async function patch({ own, other }: Sweep, layer: number, position: number): Promise<void> {
  const name = `blocks.${layer}.hook_resid_pre`;
  const values = rowOf(await other.tensor(name), position).slice();
  if (reading.value !== own) return;
  lookAt({ layer });
  const { model } = own;
  touch({ kind: 'patch', layer, name, position, values, model, from: other.texts[position]! });
}

const isStream = (one: Touch) => one.kind === 'patch' && one.name.endsWith('hook_resid_pre');

/** What comes of the patch, beside the untouched run. */
function Patched({ own, other }: Pick<Sweep, 'own' | 'other'>) {
  const patches = touches.value.filter(isStream);
  useEffect(() => () => other.leave(), [other]);
  return (
    <div class="compare-outcome">
      {patches.map((one) => (
        <p key={placeOf(one)}>
          {'position' in one && <Quoting text={words.patched(one.layer, visible(own.texts[one.position] ?? ''))} />}{' '}
          <button type="button" class="plain" onClick={() => untouch(one)}>
            {words.undo}
          </button>
        </p>
      ))}
      <Prediction
        untouched={own}
        {...(patches.length > 0 && touched.value && { changed: touched.value })}
        at={own.ids.length - 1}
      />
    </div>
  );
}
