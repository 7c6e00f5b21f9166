import type { TracedTensor } from '../../../../index.ts';
import type { Plan } from '../../../../plan/plan.ts';
import { shortNumber, visible } from '../../../format.ts';
import { Figure } from '../../draw/figure.tsx';
import { Matrix } from '../../draw/matrix.tsx';
import { useLater } from '../../later.ts';
import { lookAt, position } from '../../looking.ts';
import { planOf } from '../../plan.ts';
import { current } from '../../reading.ts';
import { words } from './words.ts';

const neighbours = 10;

/** The tokens of the vocabulary whose embeddings are nearest to the chosen token's. */
export function Nearest() {
  const { model, ids, texts } = current.value!;
  const at = position.value;
  const id = ids[at]!;
  const { value, failure, stale } = useLater((signal) => model.nearest(id, neighbours, { signal }), [model, id]);
  return (
    <Figure title={words.nearest(visible(texts[at] ?? ''))} note={words.nearestNote(model.config.vocabSize)}>
      <Outcome failure={failure} waiting={!value && words.searching} />
      {value && (
        <ol class="nearest" data-stale={stale} data-of={id}>
          {value.map(({ id, text, cosine }) => (
            <li key={id} data-id={id} data-cosine={cosine}>
              <bdi class="word">{visible(text)}</bdi>
              <span class="track">
                <span class="extent" style={{ width: `${100 * Math.max(0, cosine)}%` }} />
              </span>
              <span class="value">{shortNumber(cosine)}</span>
            </li>
          ))}
        </ol>
      )}
    </Figure>
  );
}

/** How alike every two positions are, and the chosen position's row of that as a curve. */
export function PositionMap() {
  const { model, ids } = current.value!;
  const { value, failure, stale } = useLater(
    async (signal) => model.similarities(tableOf(await planOf(model.config))!, { signal }),
    [model],
  );
  const at = position.value;
  const count = value?.shape[0] ?? model.config.nCtx;
  return (
    <Figure title={words.similarities} note={words.similaritiesNote(count, at)} take="positions">
      <Outcome failure={failure} waiting={!value && words.comparing} />
      {value && (
        <div class="similarities">
          <Matrix
            label={words.similarities}
            data={value.data}
            rows={count}
            columns={count}
            scale="signed"
            limit={1}
            tensor="similarities"
            describe={(row, column) => words.pair(row, column)}
            onPick={(row) => row < ids.length && lookAt({ position: row })}
            marked={{ row: at }}
            cellSize={[416 / count, 416 / count]}
            stale={stale}
          />
          <Curve map={value} at={at} />
        </div>
      )}
    </Figure>
  );
}

/** The weight whose rows are added to embeddings, a position each. */
function tableOf({ steps }: Plan): string | undefined {
  const tables = steps.flatMap((step) => (step.op === 'embed' ? step.tables : []));
  return tables.find(({ by }) => by === 'position')?.weight;
}

/** A row of the map, from -1 at the bottom to 1 at the top. */
function Curve({ map: { data, shape }, at }: { map: TracedTensor; at: number }) {
  const count = shape[1]!;
  const row = data.subarray(at * count, (at + 1) * count);
  const points = Array.from(row, (cosine, i) => `${i + 0.5},${(1 - cosine) * 50}`).join(' ');
  return (
    <svg class="curve" viewBox={`0 0 ${count} 100`} preserveAspectRatio="none" role="img" aria-label={words.curve(at)}>
      <line x1={0} x2={count} y1={50} y2={50} />
      <line x1={at + 0.5} x2={at + 0.5} y1={0} y2={100} />
      <polyline points={points} />
    </svg>
  );
}

function Outcome({ failure, waiting }: { failure: unknown; waiting: string | false }) {
  if (failure) return <p role="alert">{words.failed(failure instanceof Error ? failure.message : String(failure))}</p>;
  return waiting ? <p class="summary">{waiting}</p> : null;
}
