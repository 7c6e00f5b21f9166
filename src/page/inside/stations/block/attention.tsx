import './attention.css';
import { useRef, useState } from 'preact/hooks';
import { fixed, shortNumber } from '../../../format.ts';
import { patternRow } from '../../../shares.ts';
import { Quoting } from '../../draw/figure.tsx';
import { type DrawnCanvas, Matrix } from '../../draw/matrix.tsx';
import { CellLink, Legend, Part } from '../../draw/part.tsx';
import { useWidth } from '../../draw/width.ts';
import { type Frame, Framed, useFrame, useShown } from '../../frame.ts';
import { useLater } from '../../later.ts';
import type { Cell } from '../../looking.ts';
import { reading, touched } from '../../reading.ts';
import { limitOf, type Stage, scoreScale, scoresAt, stages, turnsHeads } from './scores.ts';
import { words } from './words.ts';

/** A head's attention as one picture that goes from products to shares. */
export function Attention({ hook }: { hook: string }) {
  const { frame, stale } = useShown();
  const [stage, setStage] = useState<Stage>('pattern');
  const fading = useFading();
  const { reading, layer, head } = frame;
  const turned = turnsHeads(reading) ? 'rot_' : '';
  const tensors = {
    q: frame.tensor(`${hook}.hook_${turned}q`),
    k: frame.tensor(`${hook}.hook_${turned}k`),
    scores: frame.tensor(`${hook}.hook_attn_scores`),
    pattern: frame.tensor(`${hook}.hook_pattern`),
  };
  const scale = scoreScale(tensors, head);
  const { value, stale: pending } = useLater(async () => {
    const data = await scoresAt(stage, tensors, head, scale);
    return { stage, data, limit: limitOf(stage, data), frame };
  }, [stage, reading, layer, head]);
  const show = (next: Stage) => {
    fading.keep();
    setStage(next);
  };
  return (
    <Part title={words.attention} hooks={[`${hook}.hook_attn_scores`, `${hook}.hook_pattern`]} take="attention">
      <Scrubber stage={stage} onChange={show} />
      <p class="summary">{words.stageNotes[stage](scale)}</p>
      {value && (
        <Framed value={{ frame: pending ? value.frame : frame, stale: stale || pending }}>
          <Stages {...value} hook={`blocks.${value.frame.layer}.attn`} fading={fading} />
        </Framed>
      )}
    </Part>
  );
}

interface StagesProps {
  hook: string;
  stage: Stage;
  /** [tokens, tokens] */
  data: Float32Array;
  limit: number;
  fading: ReturnType<typeof useFading>;
}

function Stages({ hook, stage, data, limit, fading }: StagesProps) {
  const { frame, stale } = useShown();
  const { head: of, position: query } = frame;
  const tokens = frame.reading.ids.length;
  const scale = stage === 'pattern' ? 'amount' : 'signed';
  const cellAt = (row: number, key: number): Cell => ({
    kind: 'tensor',
    name: `${hook}.${stage === 'pattern' ? 'hook_pattern' : 'hook_attn_scores'}`,
    index: [of, row, key],
  });
  const text = (token: number) => frame.text(token);
  return (
    <div class="attention">
      <div class="picture">
        <Labelled count={tokens} text={text} marked={query}>
          <div class="fading" ref={fading.frame} data-stage={stage} style={{ width: sideOf(tokens) }}>
            <Matrix
              label={words.picture(words.stages[stage])}
              data={data}
              rows={tokens}
              columns={tokens}
              scale={scale}
              limit={limit}
              tensor={cellAt(0, 0).name}
              cellAt={cellAt}
              describe={(row, key) => words.looks(text(row), text(key))}
              marked={{ row: query }}
              cellSize={[cellSize(tokens), cellSize(tokens)]}
              stale={stale}
            />
            <canvas class="former" ref={fading.former} />
          </div>
        </Labelled>
        <Legend scale={scale} limit={limit} over={stage === 'pattern' && limit < 1} />
      </div>
      <Row data={data.subarray(query * tokens, (query + 1) * tokens)} stage={stage} cellAt={cellAt} />
    </div>
  );
}

/** CSS pixels: some 40 rem in all, but a few tokens do not become a chessboard. */
const cellSize = (tokens: number) => Math.min(44, 600 / tokens);
const sideOf = (tokens: number) => `min(100%, ${tokens * cellSize(tokens)}px)`;

function Scrubber({ stage, onChange }: { stage: Stage; onChange: (stage: Stage) => void }) {
  return (
    <div class="scrubber">
      <input
        type="range"
        min={0}
        max={stages.length - 1}
        step={1}
        value={stages.indexOf(stage)}
        style={{ '--at': stages.indexOf(stage) / (stages.length - 1) }}
        aria-label={words.stage}
        aria-valuetext={words.stages[stage]}
        onInput={({ currentTarget }) => onChange(stages[currentTarget.valueAsNumber]!)}
      />
      <div class="stops">
        {stages.map((one) => (
          <button
            type="button"
            key={one}
            class="quiet"
            tabIndex={-1}
            aria-pressed={one === stage}
            onClick={() => one !== stage && onChange(one)}
          >
            {words.stages[one]}
          </button>
        ))}
      </div>
    </div>
  );
}

/** Lets the picture of the last stage fade over the next one; the style leaves it out for reduced motion. */
function useFading() {
  const frame = useRef<HTMLDivElement>(null);
  const former = useRef<HTMLCanvasElement>(null);
  const keep = () => {
    const source = frame.current?.querySelector<DrawnCanvas>('canvas[data-tensor]');
    const copy = former.current;
    if (!source || !copy) return;
    copy.width = source.width;
    copy.height = source.height;
    copy.getContext('2d')!.drawImage(source, 0, 0);
    for (const animation of copy.getAnimations()) animation.cancel();
    copy.classList.remove('leaving');
    void copy.offsetWidth; // the browser takes note, so that the animation starts anew
    copy.classList.add('leaving');
  };
  return { frame, former, keep };
}

interface LabelledProps {
  count: number;
  text: (token: number) => string;
  marked: number;
  children: preact.ComponentChildren;
}

/** Tokens along the two sides of a square picture, if it gives each one room. */
function Labelled({ count, text, marked, children }: LabelledProps) {
  const { width, of } = useWidth();
  const roomy = Math.min(width, count * cellSize(count)) / count >= 13;
  const labels = Array.from({ length: count }, (_, i) => <span data-marked={i === marked}>{text(i)}</span>);
  return (
    <div class="labelled" data-roomy={roomy}>
      {roomy && (
        <div class="rows" aria-hidden="true">
          {labels}
        </div>
      )}
      <div ref={of}>{children}</div>
      {roomy && (
        <div class="columns" aria-hidden="true" style={{ width: sideOf(count) }}>
          {labels}
        </div>
      )}
    </div>
  );
}

interface RowProps {
  /** [tokens] */
  data: Float32Array;
  stage: Stage;
  cellAt: (row: number, key: number) => Cell;
}

const mostKeys = 10;

/** The looked at token's row in numbers: the largest first, and their sum. */
function Row({ data, stage, cellAt }: RowProps) {
  const { frame } = useShown();
  const query = frame.position;
  const tokenText = (at: number) => frame.text(at);
  const before = useUntouched(frame, stage, cellAt(query, 0).name);
  const keys = [...data.keys()].filter((key) => Number.isFinite(data[key]!) && (stage !== 'pattern' || key <= query));
  keys.sort((a, b) => data[b]! - data[a]!);
  const shown = keys.slice(0, mostKeys);
  const rest = keys.slice(mostKeys);
  const most = Math.max(...shown.map((key) => Math.abs(data[key]!)), Number.MIN_VALUE);
  const sumOf = (some: readonly number[]) => some.reduce((sum, key) => sum + data[key]!, 0);
  return (
    <div class="query-row">
      <h5>
        <Quoting text={words.readsFrom(tokenText(query))} />
      </h5>
      <ol class="bars">
        {shown.map((key) => (
          <li key={key} data-key={key}>
            <span>
              <bdi class="token">{tokenText(key)}</bdi> <span class="summary">{key}</span>
            </span>
            <span class="bar-room">
              <span
                class="amount"
                data-sign={Math.sign(data[key]!)}
                style={{ '--share': Math.abs(data[key]!) / most }}
              />
            </span>
            <span>
              <CellLink
                what={words.looks(tokenText(query), tokenText(key))}
                to={cellAt(query, key)}
                value={data[key]!}
              />
              {before && (
                <span class="summary" data-before={before[key]}>
                  {' '}
                  {words.wasBefore(shortNumber(before[key]!))}
                </span>
              )}
            </span>
          </li>
        ))}
      </ol>
      {rest.length > 0 && <p class="summary">{words.others(rest.length, sumOf(rest))}</p>}
      <p class="row-sum" data-value={sumOf(keys)}>
        {words.rowSum} <b>{fixed(sumOf(keys), 3)}</b>
      </p>
    </div>
  );
}

/** The same row of the run without the visitor's changes, if there are any and it is a tensor of the model as it stands. */
function useUntouched(frame: Frame, stage: Stage, name: string): Float32Array | undefined {
  const isTouched = frame.reading === touched.value && stage === 'pattern';
  const { frame: other, stale } = useFrame(isTouched ? [name] : [], reading.value);
  if (!isTouched || !other?.at(frame, [name]) || stale || other.reading.ids !== frame.reading.ids) return undefined;
  return patternRow(other.tensor(name), frame.head, frame.position);
}
