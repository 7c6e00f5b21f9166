import './style.css';
import type { Overview as Glance } from '../../../../index.ts';
import { percent, shortNumber, visible } from '../../../format.ts';
import { Figure, Quoting } from '../../draw/figure.tsx';
import { Matrix } from '../../draw/matrix.tsx';
import { useLater } from '../../later.ts';
import { head, layer, lookAt, position } from '../../looking.ts';
import { current, type Reading } from '../../reading.ts';
import { HeadMaps, ScaleBar } from './maps.tsx';
import { Said, saidCount } from './said.tsx';
import { words } from './words.ts';

/** The whole model for the text: what every head attends to, how the residual grows, what each block would say. */
export function Overview() {
  const reading = current.value!;
  const { value, failure, stale } = useLater(async () => {
    return { glance: await reading.overview(), reading };
  }, [reading]);
  if (failure) return <p role="alert">{words.failed(failure instanceof Error ? failure.message : String(failure))}</p>;
  if (!value) return <p class="summary">{words.reading}</p>;
  return (
    <>
      <Blocks {...value} stale={stale} />
      <Norms {...value} stale={stale} />
    </>
  );
}

interface Shown {
  glance: Glance;
  reading: Reading;
  stale: boolean;
}

/** A row for each block: its heads, its residual, its words. */
function Blocks({ glance, reading, stale }: Shown) {
  const at = reading === current.value ? position.value : reading.ids.length - 1;
  const lens = useLater(
    (signal) => reading.model.lens(reading.ids, saidCount, { positions: [at], edits: reading.edits, signal }),
    [reading, at],
  );
  const { nLayer, nHead } = reading.model.config;
  const tokens = reading.ids.length;
  const norm = (row: number) => glance.norms.data[row * tokens + at]!;
  const longest = Math.max(...Array.from({ length: 2 * nLayer + 1 }, (_, row) => norm(row)));
  const final = lens.value?.at(-1)?.[0]?.[0]?.id;
  const token = visible(reading.texts[at] ?? '');
  const note = (
    <>
      <Quoting text={words.glanceNote(token)} /> {glance.pool > 1 && words.pooled(glance.pool)}
    </>
  );
  return (
    <Figure title={words.glance} note={note} take="overview">
      <div class="glance" style={{ '--heads': nHead }} data-stale={stale}>
        <div class="glance-row titles" aria-hidden="true">
          <span class="name" />
          <span class="heads">
            {words.heads} <ScaleBar />
          </span>
          <span class="norms">
            {words.norm}
            <span class="key" data-when="mid">
              {words.normOf.mid}
            </span>
            <span class="key" data-when="post">
              {words.normOf.post}
            </span>
          </span>
          <span class="said">{words.lens}</span>
        </div>
        <div class="glance-row input">
          <span class="name">{words.input}</span>
          <Lengths values={[['pre', norm(0)]]} longest={longest} />
        </div>
        {Array.from({ length: nLayer }, (_, block) => (
          <div class="glance-row" data-chosen={block === layer.value} key={block}>
            <button type="button" class="name" onClick={() => lookAt({ layer: block })}>
              {words.block(block)}
            </button>
            <HeadMaps layer={block} patterns={glance.patterns} pool={glance.pool} texts={reading.texts} />
            <Lengths
              values={[
                ['mid', norm(2 * block + 1)],
                ['post', norm(2 * block + 2)],
              ]}
              longest={longest}
            />
            <Said layer={block} top={lens.value?.[block]?.[0]} final={final} stale={lens.stale} />
          </div>
        ))}
      </div>
      <Gaze glance={glance} reading={reading} at={at} />
    </Figure>
  );
}

/** Lengths of the residual as bars. */
function Lengths({ values, longest }: { values: ['pre' | 'mid' | 'post', number][]; longest: number }) {
  return (
    <span class="norms">
      {values.map(([when, value]) => (
        <span class="length" key={when} data-norm={value} data-when={when}>
          <span class="track" role="img" aria-label={words.normOf[when]}>
            <span class="extent" style={{ width: `${(100 * value) / longest}%` }} />
          </span>
          <span class="value">{shortNumber(value)}</span>
        </span>
      ))}
    </span>
  );
}

const gazes = 5;

/** In words: where the chosen token looks through the chosen head. Only of patterns that are not pooled. */
function Gaze({ glance: { patterns, pool }, reading, at }: Omit<Shown, 'stale'> & { at: number }) {
  const [, nHead = 0, cells = 0] = patterns.shape;
  const from = ((layer.value * nHead + head.value) * cells + at) * cells;
  const row = [...patterns.data.subarray(from, from + at + 1).entries()];
  const most = row.sort(([, a], [, b]) => b - a).slice(0, gazes);
  return (
    <p class="gaze">
      <b>{words.head(layer.value, head.value)}</b>
      {pool === 1 && (
        <>
          : <Quoting text={words.looks(visible(reading.texts[at] ?? ''))} />{' '}
          {most.map(([key, weight], i) => (
            <span key={key} data-key={key} data-weight={weight}>
              {i > 0 && ', '}
              <bdi class="word">{visible(reading.texts[key] ?? '')}</bdi> {percent(weight)}
            </span>
          ))}
        </>
      )}
      . <span class="summary">{words.open}</span>
    </p>
  );
}

/** Tokens whose names still fit below their columns. */
const mostNamed = 20;

/** The residual's length at every token, from the input down to the last block. */
function Norms({ glance: { norms }, reading, stale }: Shown) {
  const [rows = 0, tokens = 0] = norms.shape;
  const name = (row: number) =>
    row === 0 ? words.input : (row % 2 ? words.attention : words.mlp)(Math.floor((row - 1) / 2));
  // A trained model's first token is its attention sink, ten times as long as others (Xiao et al. 2024).
  const others = norms.data.filter((_, i) => tokens === 1 || i % tokens > 0);
  const limit = others.reduce((most, value) => Math.max(most, value), 0);
  const beyond = norms.data.some((value) => value > 1.5 * limit);
  const note = `${words.normsNote} ${beyond ? words.normsLimit(shortNumber(limit)) : ''}`;
  return (
    <Figure title={words.norms} note={note} take="residual">
      <div class="residuals">
        <div class="blocks" aria-hidden="true">
          <span>{words.input}</span>
          {Array.from({ length: (rows - 1) / 2 }, (_, block) => (
            <span key={block}>{block % Math.ceil(rows / 28) === 0 && words.block(block)}</span>
          ))}
        </div>
        <Matrix
          label={words.norms}
          data={norms.data}
          rows={rows}
          columns={tokens}
          scale="amount"
          limit={limit}
          tensor="norms"
          describe={(row, column) => words.normsAt(name(row), visible(reading.texts[column] ?? ''))}
          onPick={(row, column) => lookAt({ position: column, layer: Math.max(0, Math.floor((row - 1) / 2)) })}
          marked={{ column: reading === current.value ? position.value : tokens - 1 }}
          cellSize={[Math.max(2, Math.min(56, Math.floor(1060 / tokens))), Math.max(4, Math.min(14, 364 / rows))]}
          stale={stale}
        />
        {tokens <= mostNamed && (
          <div class="tokens" aria-hidden="true" style={{ '--tokens': tokens }}>
            {reading.texts.map((text) => (
              <span>{visible(text)}</span>
            ))}
          </div>
        )}
      </div>
    </Figure>
  );
}
