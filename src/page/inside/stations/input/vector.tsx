import { useLayoutEffect, useState } from 'preact/hooks';
import type { WorkerModel } from '../../../../embed/client.ts';
import { shortNumber } from '../../../format.ts';
import { magnitudeOf } from '../../../shares.ts';
import { Figure } from '../../draw/figure.tsx';
import { Matrix } from '../../draw/matrix.tsx';
import { useShown } from '../../frame.ts';
import { words } from './words.ts';

const [embedding, place, sum] = ['hook_embed', 'hook_pos_embed', 'blocks.0.hook_resid_pre'];

/** Of a model that turns heads by their positions nothing is added to the embedding. */
export function namesOf(model: WorkerModel): string[] {
  return hasPositions(model) ? [embedding!, place!, sum!] : [embedding!];
}

export const hasPositions = (model: WorkerModel) => model.tensors().some(({ name }) => name === place);

/** The chosen token's embedding + its position's = what the first block reads, number by number. */
export function Sum() {
  const { frame, stale } = useShown();
  const { reading, position: at } = frame;
  const columns = useColumns(reading.model.config.nEmbd);
  const names = namesOf(reading.model);
  const rows = names.map((name) => frame.row(name));
  const token = frame.text();
  const titles = words.parts(token, reading.ids[at]!, at);
  const note = (names.length > 1 ? words.vectorNote : words.aloneNote)(reading.model.config.nEmbd);
  const limit = magnitudeOf(...rows);
  return (
    <Figure title={words.vector(token)} note={`${note} ${words.scaleOf(shortNumber(limit))}`}>
      <div class="sum">
        {names.map((name, i) => (
          <div class="term" key={name}>
            <span class="sign" aria-hidden="true">
              {['', '+', '='][i]}
            </span>
            <span class="title">{titles[i]}</span>
            <Matrix
              label={titles[i]!}
              data={folded(rows[i]!, columns)}
              rows={Math.ceil(rows[i]!.length / columns)}
              columns={columns}
              scale="signed"
              limit={limit}
              tensor={`${name}[${at}]`}
              cellAt={(row, column) => ({
                kind: 'tensor',
                name,
                index: [at, Math.min(row * columns + column, rows[i]!.length - 1)],
              })}
              placeOf={({ name: of, index: [row, column = 0] }) =>
                of === name && row === at ? { row: Math.floor(column / columns), column: column % columns } : undefined
              }
              describe={(row, column) => `${name} [${at}, ${row * columns + column}]`}
              cellSize={[18, 18]}
              stale={stale}
            />
          </div>
        ))}
      </div>
    </Figure>
  );
}

/** Whole lines; what the last one lacks is drawn as nothing. */
function folded(row: Float32Array, columns: number): Float32Array {
  if (row.length % columns === 0) return row;
  const lines = new Float32Array(Math.ceil(row.length / columns) * columns).fill(Number.NaN);
  lines.set(row);
  return lines;
}

const narrow = matchMedia('(max-width: 50rem)');

/** Numbers to a line: as many as can still be told apart by the eye and the pointer. */
function useColumns(width: number): number {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useLayoutEffect(() => {
    const onChange = () => setNarrow(narrow.matches);
    narrow.addEventListener('change', onChange);
    return () => narrow.removeEventListener('change', onChange);
  }, []);
  const most = isNarrow ? 32 : width > 256 ? 128 : 64;
  return Math.min(width, most);
}
