import './style.css';
import { useState } from 'preact/hooks';
import { percent, shortNumber, visible } from '../../format.ts';
import { largest, lengthOf, patternRow, softmax } from '../../shares.ts';
import { settings } from '../../writing.ts';
import { Failure, Quoting } from '../draw/figure.tsx';
import { Matrix } from '../draw/matrix.tsx';
import { useWidth } from '../draw/width.ts';
import { type Frame, Framed, useFrame, useShown } from '../frame.ts';
import { useLater } from '../later.ts';
import { showPicture } from '../lessons/point.ts';
import { ask, layer, lookAt, open, position, type StationName } from '../looking.ts';
import { current } from '../reading.ts';
import { pipelineOf } from '../stations/output/stages.ts';
import { TakePicture } from '../take/picture.tsx';
import { useTexts } from '../texts.ts';
import { Stream, shareOfChosen } from './stream.tsx';
import { words } from './words.ts';

const rowHeight = 30;
/** Pieces drawn at most: those that the chosen head looks at most, and the one looked at. */
const mostRows = 9;

/** The whole model for the piece looked at, in one drawing: text, numbers, blocks, scores, draw. Each part opens its station. */
export function Whole() {
  const names = ['blocks.0.hook_resid_pre', 'logits', ...ofBlock.map((name) => `blocks.${layer.value}.${name}`)];
  const { frame, stale, failure } = useFrame(names);
  if (failure !== undefined) return <Failure what={failure} />;
  if (!frame) return <p class="summary">{words.reading}</p>;
  const pattern = patternRow(frame.tensor(`blocks.${frame.layer}.attn.hook_pattern`), frame.head, frame.position);
  const keys = largest(pattern.subarray(0, frame.position), mostRows - 1);
  const rows = [...keys, frame.position].sort((a, b) => a - b);
  return (
    <Framed value={{ frame, stale: stale! }}>
      <section class="whole" aria-labelledby="whole-title" data-stale={stale} data-position={frame.position}>
        <header>
          <h3 id="whole-title">{words.title}</h3>
          <p class="summary">
            <Quoting text={words.intro(frame.text(), frame.position)} />
          </p>
        </header>
        <div class="whole-drawing" style={{ '--rows': rows.length, '--row': `${rowHeight}px` }}>
          <Pieces rows={rows} />
          <Blocks rows={rows} pattern={pattern} />
          <Scores />
        </div>
        <Said pattern={pattern} />
        <TakePicture name="flow" of=".whole" />
      </section>
    </Framed>
  );
}

/** CSS pixels that the number of a block needs. */
const numberWidth = 24;

const ofBlock = ['attn.hook_pattern', 'hook_attn_out', 'hook_mlp_out', 'hook_resid_post'];

/** What a part is called, in plain words and by its hook; it opens the part's station, at its `picture` where that is not the first. */
function Name({ of: [plain, hook], to, picture }: { of: readonly string[]; to: StationName; picture?: boolean }) {
  const show = () => (picture ? void showPicture(hook!, to) : open(to));
  return (
    <button type="button" class="part-name" aria-label={words.opens(plain!)} data-to={to} onClick={show}>
      <b>{plain}</b>
      <code>{hook}</code>
    </button>
  );
}

function Pieces({ rows }: { rows: readonly number[] }) {
  const { frame, stale } = useShown();
  const { data, shape } = frame.tensor('blocks.0.hook_resid_pre');
  const width = shape[1]!;
  const numbers = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) numbers.set(data.subarray(row * width, (row + 1) * width), i * width);
  const hidden = frame.position + 1 - rows.length;
  return (
    <div class="pieces">
      <Name of={words.tokens} to="input" />
      <Name of={words.embeddings} to="input" />
      <ol>
        {rows.map((row) => (
          <li key={row}>
            <button
              type="button"
              data-token={row}
              aria-pressed={row === frame.position}
              aria-label={words.token(row, frame.text(row))}
              onClick={() => lookAt({ position: row })}
            >
              <bdi>{frame.text(row)}</bdi>
            </button>
          </li>
        ))}
      </ol>
      <Matrix
        label={words.rows(width)}
        data={numbers}
        rows={rows.length}
        columns={width}
        scale="signed"
        tensor="whole blocks.0.hook_resid_pre"
        cellAt={(row, column) => ({ kind: 'tensor', name: 'blocks.0.hook_resid_pre', index: [rows[row]!, column] })}
        describe={(row, column) => `“${frame.text(rows[row])}” [${column}]`}
        cellSize={[2, rowHeight]}
        stale={stale}
      />
      <p class="summary">{hidden > 0 && words.others(hidden)}</p>
    </div>
  );
}

function Blocks({ rows, pattern }: { rows: readonly number[]; pattern: Float32Array }) {
  const { frame } = useShown();
  const { reading } = frame;
  const { value } = useLater(async () => ({ reading, norms: (await reading.overview()).norms }), [reading]);
  const norms = value?.reading === reading ? value.norms : undefined;
  const count = reading.ids.length;
  const lengths = norms && Array.from({ length: norms.shape[0]! }, (_, i) => norms.data[i * count + frame.position]!);
  const lines = rows.map((key, row) => ({ key, row, share: pattern[key]! }));
  const { nLayer } = reading.model.config;
  const chosen = shareOfChosen(nLayer);
  const { width, of } = useWidth();
  const slot = ((1 - chosen) * width) / Math.max(1, nLayer - 1);
  // Where blocks are narrower than their numbers, every second, fifth or tenth has one, with room beside the chosen block's.
  const every = [1, 2, 5, 10, 20].find((step) => step * slot >= numberWidth) ?? 50;
  const isNamed = (i: number) => i % every === 0 && Math.abs(i - frame.layer) * slot >= numberWidth / 2;
  return (
    <div class="blocks">
      <div class="names">
        <Name of={words.attention(frame.layer)} to="block" picture />
        <Name of={words.mlp(frame.layer)} to="block" picture />
        <Name of={words.stream(frame.layer)} to="overview" />
      </div>
      <Stream lines={lines} lengths={lengths} rowHeight={rowHeight} rows={rows.length} />
      <div class="block-names" ref={of}>
        {Array.from({ length: nLayer }, (_, i) => (
          <button
            type="button"
            key={i}
            aria-pressed={i === frame.layer}
            aria-label={words.block(i)}
            style={{ flexGrow: i === frame.layer ? chosen : (1 - chosen) / Math.max(1, nLayer - 1) }}
            onClick={() => lookAt({ layer: i })}
          >
            {i === frame.layer ? words.block(i) : isNamed(i) && i}
          </button>
        ))}
      </div>
    </div>
  );
}

const scoresShown = 6;

function Scores() {
  const { frame } = useShown();
  const { logits, reading, position } = frame;
  const dials = settings.value;
  const { picked } = pipelineOf(logits, dials, reading.ids.slice(0, position + 1));
  const shares = softmax(logits);
  const top = largest(logits, scoresShown);
  const ids = [...new Set([...top, picked.id])];
  const texts = useTexts(reading.model, ids);
  const text = (id: number) => visible(texts.get(id) ?? '…');
  const own = picked.segments.find(({ id }) => id === picked.id)!;
  const { u } = picked;
  return (
    <div class="scores">
      <Name of={words.logits} to="output" picture />
      <ol title={words.temperature}>
        {top.map((id) => (
          <li key={id} data-id={id} data-probability={shares[id]} data-logit={logits[id]} data-drawn={id === picked.id}>
            <bdi class="word">{text(id)}</bdi>
            <span class="extent" style={{ width: `${(100 * shares[id]!) / shares[top[0]!]!}%` }} />
            <span class="value">{percent(shares[id]!)}</span>
          </li>
        ))}
      </ol>
      <Name of={words.draw} to="output" picture />
      <div class="whole-draw" data-id={picked.id} data-u={u}>
        {u !== undefined && (
          <div class="whole-line" role="img" aria-label={words.line01(u, text(picked.id))}>
            {picked.segments.map(({ id, from, to }) => (
              <span
                key={from}
                data-drawn={id === picked.id}
                style={{ left: `${100 * from}%`, width: `${100 * (to - from)}%` }}
              />
            ))}
            <span class="pin" style={{ left: `${100 * u}%` }} />
          </div>
        )}
        <p data-from={own.from} data-to={own.to}>
          {u === undefined ? words.greedy : words.byNumber(dials.seed, u)}{' '}
          <b class="picked">
            “<bdi>{text(picked.id)}</bdi>”
          </b>{' '}
          <button type="button" class="leads" onClick={() => askWho(picked.id)}>
            {words.who}
          </button>
        </p>
      </div>
    </div>
  );
}

function askWho(id: number): void {
  ask({ word: id, rather: undefined });
  open('spoke');
}

/** The drawing in words, for the chosen block and head. */
function Said({ pattern }: { pattern: Float32Array }) {
  const { frame } = useShown();
  const [most = 0] = largest(pattern, 1);
  const to = most === frame.position ? undefined : frame.text(most);
  const block = `blocks.${frame.layer}`;
  const length = (name: string) => shortNumber(lengthOf(frame.row(`${block}.${name}`)));
  const { nLayer, nHead } = frame.reading.model.config;
  return (
    <div class="whole-said">
      <p>
        {words.attends}{' '}
        <Quoting text={words.looks(frame.layer, frame.head, frame.text(), to, percent(pattern[most]!))} />{' '}
        {frame.position > 1 && <Sharpest />}
      </p>
      <p>
        {words.adds(nLayer, nHead, length('hook_attn_out'), length('hook_mlp_out'))}{' '}
        <span class="summary">{words.streamNote}</span>
      </p>
    </div>
  );
}

/** Looks through the head that is most at one piece. */
function Sharpest() {
  const { frame } = useShown();
  const [of, setOf] = useState<Frame | undefined>(undefined);
  const isSearching = of?.reading === frame.reading;
  const search = async () => {
    if (isSearching) return;
    setOf(frame);
    const found = await sharpestHead(frame).catch(() => undefined); // a reading that is left has none to show
    if (found && current.peek() === frame.reading && position.peek() === frame.position) lookAt(found);
    setOf(undefined);
  };
  return (
    <button type="button" class="leads" aria-disabled={isSearching} onClick={() => void search()}>
      {words.sharpest}
    </button>
  );
}

/** Of all heads the one that looks most at one piece before a position. The first piece is where heads look that find nothing. */
async function sharpestHead({ reading, position }: Frame): Promise<{ layer: number; head: number }> {
  const { nLayer, nHead } = reading.model.config;
  let best = { layer: 0, head: 0, share: -1 };
  for (let layer = 0; layer < nLayer; layer++) {
    const pattern = await reading.tensor(`blocks.${layer}.attn.hook_pattern`); // one after the other: all at once may be large
    for (let head = 0; head < nHead; head++) {
      const share = Math.max(...patternRow(pattern, head, position).subarray(1, position));
      if (share > best.share) best = { layer, head, share };
    }
  }
  return { layer: best.layer, head: best.head };
}
