import type { ComponentChildren } from 'preact';
import { WorkerEncoder, WorkerVision } from '../../embed/client.ts';
import { TypedValue } from '../views/typed-value.tsx';
import type { Pupil } from './adapter-on.ts';
import { canChange, type Dials, dials, isLearning, methodFor, rateOf, roundsOf } from './course.ts';
import { words } from './words.ts';

const set = (change: Partial<Dials>) => {
  dials.value = { ...dials.value, ...change };
};
const within = (text: string, least: number, most: number, isWhole = true) => {
  const value = Number(text.replace(',', '.'));
  return Number.isFinite(value) && value >= least && value <= most && (!isWhole || Number.isInteger(value))
    ? value
    : undefined;
};

/** What is seldom changed: folded. */
export function How({ model }: { model: Pupil }) {
  const tellsClasses = model instanceof WorkerEncoder || model instanceof WorkerVision;
  const method = tellsClasses ? methodFor(model) : 'lora';
  const canChoose = tellsClasses && canChange(model);
  const { share, rank } = dials.value;
  return (
    <details class="how">
      <summary>{words.how}</summary>
      <fieldset disabled={isLearning.value}>
        <legend class="unseen">{words.how}</legend>
        {canChoose ? (
          (['lora', 'head'] as const).map((one) => (
            <label class="method" key={one}>
              <input type="radio" name="method" checked={method === one} onChange={() => set({ method: one })} />
              <span>{words.methods[one]}</span>
            </label>
          ))
        ) : (
          <p class="summary">{tellsClasses ? words.headOnly : words.loraOnly}</p>
        )}
        <div class="dials">
          <Dial name={words.rounds} meaning={words.roundsMeaning}>
            <TypedValue
              label={words.rounds}
              text={String(roundsOf(dials.value, model))}
              digits={4}
              read={(text) => within(text, 1, 200)}
              onChange={(value) => set({ rounds: value })}
            />
          </Dial>
          {method === 'lora' && (
            <Dial name={words.rank} meaning={words.rankMeaning}>
              <TypedValue
                label={words.rank}
                text={String(rank)}
                digits={4}
                read={(text) => within(text, 1, 64)}
                onChange={(value) => set({ rank: value })}
              />
            </Dial>
          )}
          <Dial name={words.rate} meaning={words.rateMeaning}>
            <TypedValue
              label={words.rate}
              text={String(rateOf({ ...dials.value, method }, !tellsClasses))}
              digits={7}
              read={(text) => within(text, 1e-7, 1, false)}
              onChange={(value) => set({ rate: value })}
            />
          </Dial>
          {tellsClasses && (
            <Dial name={words.share} meaning="%">
              <TypedValue
                label={words.share}
                text={String(Math.round(100 * share))}
                digits={3}
                read={(text) => within(text, 0, 80)}
                onChange={(value) => set({ share: value / 100 })}
              />
            </Dial>
          )}
        </div>
      </fieldset>
    </details>
  );
}

function Dial({ name, meaning, children }: { name: string; meaning: string; children: ComponentChildren }) {
  return (
    <p title={meaning}>
      <span>{name}</span> {children} {meaning === '%' && '%'}
    </p>
  );
}
