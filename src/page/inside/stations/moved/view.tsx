import './style.css';
import { useLayoutEffect, useState } from 'preact/hooks';
import { percent, visible } from '../../../format.ts';
import { largest, softmax } from '../../../shares.ts';
import { Failure, Quoting } from '../../draw/figure.tsx';
import { type Frame, useFrame } from '../../frame.ts';
import { useLater } from '../../later.ts';
import { lookAt } from '../../looking.ts';
import { useTexts } from '../../texts.ts';
import { words as frameWords } from '../../words.ts';
import { type Moves, movesOf, steps, type Way } from './moves.ts';
import { words } from './words.ts';

const most = 6;

/** What each token of the text did for a word that may come after the one looked at. */
export function Moved() {
  const { frame, stale, failure } = useFrame(['logits']);
  if (failure !== undefined) return <Failure what={failure} />;
  if (!frame) return <p class="summary">{frameWords.reading}</p>;
  return <Predictions frame={frame} stale={stale!} />;
}

function Predictions({ frame, stale }: { frame: Frame; stale: boolean }) {
  const { reading, position } = frame;
  const shares = softmax(frame.logits);
  const best = largest(shares, most);
  const next = reading.ids[position + 1];
  const candidates = next === undefined || best.includes(next) ? best : [next, ...best.slice(0, most - 1)];
  const [asked, setAsked] = useState<number | undefined>(undefined);
  useLayoutEffect(() => setAsked(undefined), [reading, position]);
  // Within a text the word that stands there, behind it the likeliest.
  const id = asked !== undefined && candidates.includes(asked) ? asked : (next ?? candidates[0]!);
  const [way, setWay] = useState<Way>('gradient');
  const isTouched = reading.edits.length > 0;
  const by = isTouched ? 'gradient' : way;
  const texts = useTexts(reading.model, candidates);
  const {
    value,
    failure,
    stale: isOld,
  } = useLater((signal) => movesOf(reading, position, id, by, signal), [reading, position, id, by]);
  const text = (one: number) => visible(texts.get(one) ?? '…');
  return (
    <div class="moved" data-stale={stale || isOld}>
      <p>
        <Quoting text={words.lead(frame.text())} />
      </p>
      <fieldset class="choices">
        <legend>{words.which}</legend>
        {candidates.map((one) => (
          <label key={one}>
            <input type="radio" name="moved-prediction" checked={one === id} onChange={() => setAsked(one)} />
            <span data-id={one}>
              <bdi>{text(one)}</bdi> <small>{percent(shares[one]!)}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <fieldset class="choices">
        <legend>{words.how}</legend>
        {(['gradient', 'integrated'] as const).map((one) => (
          <label key={one}>
            <input
              type="radio"
              name="moved-way"
              checked={one === by}
              disabled={isTouched && one === 'integrated'}
              onChange={() => setWay(one)}
            />
            <span>{words.ways[one]}</span>
          </label>
        ))}
      </fieldset>
      <p class="summary">{by === 'gradient' ? words.notes.gradient : words.notes.integrated(steps)}</p>
      {isTouched && <p class="summary">{words.untouchedOnly}</p>}
      {failure !== undefined && <Failure what={failure} />}
      {value ? <Tokens moves={value} prediction={text(value.id)} /> : failure === undefined && <p>{words.running}</p>}
    </div>
  );
}

function Tokens({ moves, prediction }: { moves: Moves; prediction: string }) {
  const { values, texts, logit, way } = moves;
  const limit = values.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-12);
  const strongest = values.reduce((at, value, i) => (Math.abs(value) > Math.abs(values[at]!) ? i : at), 0);
  const sum = values.reduce((a, b) => a + b, 0);
  return (
    <>
      <p class="strongest">
        <Quoting text={words.strongest(visible(texts[strongest]!), values[strongest]!, prediction)} />
      </p>
      <ol class="tints moves" aria-label={words.tokens} data-way={way} data-logit={logit}>
        {Array.from(values, (value, i) => (
          <li key={i} data-value={value} data-against={value < 0} style={{ '--strength': Math.abs(value) / limit }}>
            <button
              type="button"
              aria-label={words.value(visible(texts[i]!), value)}
              onClick={() => lookAt({ position: i })}
            >
              <bdi class="word">{visible(texts[i]!)}</bdi>
              <span class="by">{words.number(value)}</span>
            </button>
          </li>
        ))}
      </ol>
      <p class="summary">{words.sum(sum, logit)}</p>
    </>
  );
}
