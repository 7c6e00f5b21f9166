import './style.css';
import { useState } from 'preact/hooks';
import type { WorkerModel } from '../../../../embed/client.ts';
import type { Profile } from '../../../../index.ts';
import { percent } from '../../../format.ts';
import { Figure } from '../../draw/figure.tsx';
import { useLater } from '../../later.ts';
import { current } from '../../reading.ts';
import { type Part, partsOf, spreadOf } from './parts.ts';
import { Sources } from './sources.tsx';
import { words } from './words.ts';

/** Each step of the model as it runs here: how long it takes, and the source that does it. */
export function Runs() {
  const { model, ids } = current.value!;
  const [measurement, measureAgain] = useState(0);
  // Not with every change of the text: measuring keeps the model from running it.
  const { value, failure, stale } = useLater((signal) => measure(model, ids, signal), [model, measurement]);
  if (failure) return <p role="alert">{words.failed(failure instanceof Error ? failure.message : String(failure))}</p>;
  if (!value) return <p class="summary">{words.measuring}</p>;
  const { profile, last, of } = value;
  const parts = partsOf(profile);
  const whole = parts.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const rate = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 }).format(1e6 / whole);
  return (
    <Figure title={words.title} note={`${words.note(last, last)} ${words.clock[profile.clock](profile.repeats)}`}>
      <p class="runs-total" data-microseconds={whole}>
        {words.total(time(whole), rate)}{' '}
        <button type="button" class="plain" disabled={stale} onClick={() => measureAgain(measurement + 1)}>
          {words.again}
        </button>{' '}
        {String(of) !== String(ids) && words.changed}
      </p>
      <Chart parts={parts} />
      <Steps parts={parts} model={model} stale={stale} />
    </Figure>
  );
}

const enoughMs = 400;

/** As many runs as take about half a second: more of a fast step, for clocks are coarse. */
async function measure(
  model: WorkerModel,
  ids: readonly number[],
  signal: AbortSignal,
): Promise<{ profile: Profile; last: number; of: readonly number[] }> {
  const rough = await model.profile(ids, { repeats: 2, signal });
  const ms = rough.steps.reduce((sum, { microseconds }) => sum + microseconds, 0) / 1000;
  const repeats = Math.max(2, Math.min(100, Math.round(enoughMs / Math.max(ms, 0.1))));
  return { profile: await model.profile(ids, { repeats, signal }), last: ids.length - 1, of: ids };
}

function time(microseconds: number): string {
  const short = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 3 });
  return microseconds < 1000 ? words.microseconds(short(microseconds)) : words.milliseconds(short(microseconds / 1000));
}

/** All parts side by side, as wide as their share; their names stand in the table. */
function Chart({ parts }: { parts: readonly Part[] }) {
  return (
    <div class="runs-chart" role="img" aria-label={words.chart}>
      {parts.map(({ key, title, share }) => (
        <span key={key} style={{ flexGrow: share }} title={`${title}: ${percent(share)}`}>
          {share > 0.09 && title}
        </span>
      ))}
    </div>
  );
}

function Steps({ parts, model, stale }: { parts: readonly Part[]; model: WorkerModel; stale: boolean }) {
  const [open, setOpen] = useState<string | undefined>(undefined);
  const largest = Math.max(...parts.map(({ share }) => share));
  const { columns } = words;
  return (
    <table class="runs" data-stale={stale}>
      <thead>
        <tr>
          <th scope="col">{columns.part}</th>
          <th scope="col" class="number">
            {columns.count}
          </th>
          <th scope="col" class="in-blocks">
            {columns.blocks}
          </th>
          <th scope="col" class="number">
            {columns.time}
          </th>
          <th scope="col" class="share">
            {columns.share}
          </th>
        </tr>
      </thead>
      <tbody>
        {parts.map((part) => {
          const { key, title, times, microseconds, share } = part;
          const isOpen = open === key;
          const spread = spreadOf(times);
          return [
            <tr key={key} data-step={key} data-microseconds={microseconds} data-share={share} data-count={times.length}>
              <th scope="row">
                <button type="button" aria-expanded={isOpen} onClick={() => setOpen(isOpen ? undefined : key)}>
                  {title}
                </button>
                <span class="outputs">{key.slice(key.indexOf(' ') + 1)}</span>
              </th>
              <td class="number">{times.length > 1 ? words.times(times.length) : words.once}</td>
              <td class="in-blocks">{times.length > 1 && <Blocks times={times} />}</td>
              <td class="number">
                {time(microseconds)}
                {spread && <span class="spread">{words.blocks(time(spread[0]), time(spread[1]))}</span>}
              </td>
              <td class="share">
                <span class="share-of">
                  <span class="extent" style={{ width: `${(100 * share) / largest}%` }} />
                </span>
                {percent(share)}
              </td>
            </tr>,
            isOpen && (
              <tr key={`${key} source`} class="source">
                <td colSpan={5}>
                  <Sources part={part} kind={model.device.kind} />
                </td>
              </tr>
            ),
          ];
        })}
      </tbody>
    </table>
  );
}

/** The step's time in every block, as bars. */
function Blocks({ times }: Pick<Part, 'times'>) {
  const all = times.map(({ microseconds }) => microseconds);
  const most = Math.max(...all);
  return (
    <span class="block-times" role="img" aria-label={words.blocks(time(Math.min(...all)), time(most))}>
      {times.map(({ layer, microseconds }) => (
        <span
          key={layer}
          data-layer={layer}
          data-microseconds={microseconds}
          title={words.inBlock(layer!, time(microseconds))}
          style={{ height: `${(100 * microseconds) / most}%` }}
        />
      ))}
    </span>
  );
}
