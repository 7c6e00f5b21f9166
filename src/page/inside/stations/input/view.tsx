import './style.css';
import { Matrix } from '../../draw/matrix.tsx';
import { visible } from '../../../format.ts';
import { position } from '../../looking.ts';
import { current, useTensor } from '../../reading.ts';
import { Figure } from '../../station.tsx';
import { words } from './words.ts';
import { Nearest, PositionMap } from './nearest.tsx';
import { Tokens } from './tokens.tsx';
import { Sum } from './vector.tsx';

/** Tokens and positions as the vectors that the first block reads. */
export function Input() {
  return (
    <>
      <Tokens />
      <Sum />
      <div class="side-by-side">
        <Nearest />
        <PositionMap />
      </div>
      <Vectors title={`${words.all}: ${words.embedding}`} name="hook_embed" />
      <Vectors title={words.position} name="hook_pos_embed" />
      <Vectors title={words.sum} name="blocks.0.hook_resid_pre" />
    </>
  );
}

/** A tensor [tokens, nEmbd], a row a token. */
function Vectors({ title, name }: { title: string; name: string }) {
  const { tensor, stale } = useTensor(name);
  const texts = current.value?.texts ?? [];
  if (!tensor) return null;
  const [rows = 0, columns = 0] = tensor.shape;
  return (
    <Figure title={title}>
      <Matrix
        label={title}
        data={tensor.data}
        rows={rows}
        columns={columns}
        scale="signed"
        tensor={name}
        cellAt={(row, column) => ({ kind: 'tensor', name, index: [row, column] })}
        describe={(row, column) => `${visible(texts[row] ?? '')} [${column}]`}
        marked={{ row: Math.min(position.value, rows - 1) }}
        cellSize={[12, Math.max(2, Math.min(12, Math.floor(480 / rows)))]}
        stale={stale}
      />
    </Figure>
  );
}
