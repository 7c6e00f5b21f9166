import './attention.css';
import { useRef, useState } from 'preact/hooks';
import { type DrawnCanvas, Matrix } from '../../draw/matrix.tsx';
import { shortNumber, visible } from '../../../format.ts';
import { type Cell, head, layer, position } from '../../looking.ts';
import { type Reading, reading, touched, useLater, useTensor } from '../../reading.ts';
import { words } from './words.ts';
import { CellLink, Legend, Part, tokenText } from '../../draw/part.tsx';
import { type AttentionTensors, limitOf, type Stage, scoreScale, scoresAt, stages } from './scores.ts';
import { useWidth } from '../../draw/width.ts';

/** A head's attention as one picture that goes from products to shares. */
export function Attention({ reading, hook }: { reading: Reading; hook: string }) {
  const { q, k, scores, pattern, stale } = useAttention(hook);
  return (
    <Part title={words.attention} hooks={[`${hook}.hook_attn_scores`, `${hook}.hook_pattern`]}>
      {q && k && scores && pattern && (
        <Picture reading={reading} hook={hook} tensors={{ q, k, scores, pattern }} stale={stale} />
      )}
    </Part>
  );
}

function useAttention(hook: string) {
  const q = useTensor(`${hook}.hook_q`);
  const k = useTensor(`${hook}.hook_k`);
  const scores = useTensor(`${hook}.hook_attn_scores`);
  const pattern = useTensor(`${hook}.hook_pattern`);
  // Until the last of a new run is there, the four may be of two runs.
  const tokens = q.tensor?.shape[0];
  const alike =
    tokens === k.tensor?.shape[0] && tokens === scores.tensor?.shape[1] && tokens === pattern.tensor?.shape[1];
  return {
    ...(alike && { q: q.tensor, k: k.tensor, scores: scores.tensor, pattern: pattern.tensor }),
    stale: q.stale || k.stale || scores.stale || pattern.stale,
  };
}

interface PictureProps {
  reading: Reading;
  hook: string;
  tensors: AttentionTensors;
  stale: boolean;
}

function Picture({ reading, hook, tensors, stale }: PictureProps) {
  const [stage, setStage] = useState<Stage>('pattern');
  const { q, k, scores, pattern } = tensors;
  const [tokens = 0, heads = 1] = q.shape;
  const of = Math.min(head.value, heads - 1);
  const scale = scoreScale(reading.model.config, layer.value);
  const { value, stale: pending } = useLater(async () => {
    const data = await scoresAt(stage, tensors, of, scale);
    return { stage, data, limit: limitOf(stage, data), tokens };
  }, [stage, q, k, scores, pattern, of, scale]);
  const fading = useFading();
  const show = (next: Stage) => {
    fading.keep();
    setStage(next);
  };
  return (
    <>
      <Scrubber stage={stage} onChange={show} />
      <p class="summary">{words.stageNotes[stage](scale)}</p>
      {value && <Stages reading={reading} hook={hook} of={of} {...value} fading={fading} stale={stale || pending} />}
    </>
  );
}

interface StagesProps {
  reading: Reading;
  hook: string;
  of: number;
  stage: Stage;
  /** [tokens, tokens] */
  data: Float32Array;
  tokens: number;
  limit: number;
  fading: ReturnType<typeof useFading>;
  stale: boolean;
}

function Stages({ reading, hook, of, stage, data, tokens, limit, fading, stale }: StagesProps) {
  const scale = stage === 'pattern' ? 'amount' : 'signed';
  const query = Math.min(position.value, tokens - 1);
  const cellAt = (row: number, key: number): Cell => ({
    kind: 'tensor',
    name: `${hook}.${stage === 'pattern' ? 'hook_pattern' : 'hook_attn_scores'}`,
    index: [of, row, key],
  });
  const text = (token: number) => visible(reading.texts[token] ?? '');
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
      <Row
        data={data.subarray(query * tokens, (query + 1) * tokens)}
        of={of}
        stage={stage}
        query={query}
        cellAt={cellAt}
      />
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
  of: number;
  stage: Stage;
  query: number;
  cellAt: (row: number, key: number) => Cell;
}

const mostKeys = 10;

/** The looked at token's row in numbers: the largest first, and their sum. */
function Row({ data, of, stage, query, cellAt }: RowProps) {
  const before = useUntouched(cellAt(query, 0), of, data.length);
  const keys = [...data.keys()].filter((key) => Number.isFinite(data[key]!) && (stage !== 'pattern' || key <= query));
  keys.sort((a, b) => data[b]! - data[a]!);
  const shown = keys.slice(0, mostKeys);
  const rest = keys.slice(mostKeys);
  const most = Math.max(...shown.map((key) => Math.abs(data[key]!)), Number.MIN_VALUE);
  const sumOf = (some: readonly number[]) => some.reduce((sum, key) => sum + data[key]!, 0);
  return (
    <div class="query-row">
      <h5>{words.readsFrom(tokenText(query))}</h5>
      <ol class="bars">
        {shown.map((key) => (
          <li key={key} data-key={key}>
            <span>
              <span class="token">{tokenText(key)}</span> <span class="summary">{key}</span>
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
        {words.rowSum} <b>{sumOf(keys).toFixed(3).replace('-', '−')}</b>
      </p>
    </div>
  );
}

/** The same row of the run without the visitor's changes, if there are any and it is a tensor of the model as it stands. */
function useUntouched({ name, index: [, query = 0] }: Cell, of: number, tokens: number): Float32Array | undefined {
  const { tensor, stale } = useTensor(name, touched.value && reading.value);
  if (!touched.value || stale || tensor?.shape[1] !== tokens || !name.endsWith('hook_pattern')) return undefined;
  const start = (of * tokens + query) * tokens;
  return tensor.data.subarray(start, start + tokens);
}
