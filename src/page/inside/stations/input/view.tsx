import './style.css';
import { Failure, Figure } from '../../draw/figure.tsx';
import { Matrix } from '../../draw/matrix.tsx';
import { Framed, useFrame, useShown } from '../../frame.ts';
import { current } from '../../reading.ts';
import { Nearest, PositionMap } from './nearest.tsx';
import { Tokens } from './tokens.tsx';
import { namesOf, Sum } from './vector.tsx';
import { words } from './words.ts';

/** Tokens and positions as the vectors that the first block reads. */
export function Input() {
  const { model } = current.value!;
  const names = namesOf(model);
  const { frame, stale, failure } = useFrame(names);
  return (
    <>
      <Tokens />
      {failure !== undefined && <Failure what={failure} />}
      {frame && (
        <Framed value={{ frame, stale: stale! }}>
          <Sum />
        </Framed>
      )}
      <div class="side-by-side">
        <Nearest />
        {names.length > 1 && <PositionMap />}
      </div>
      {frame && (
        <Framed value={{ frame, stale: stale! }}>
          <Vectors title={`${words.all}: ${words.embedding}`} name="hook_embed" />
          {names.length > 1 && <Vectors title={words.position} name="hook_pos_embed" />}
          {names.length > 1 && <Vectors title={words.sum} name="blocks.0.hook_resid_pre" />}
        </Framed>
      )}
    </>
  );
}

/** A tensor [tokens, nEmbd], a row a token. */
function Vectors({ title, name }: { title: string; name: string }) {
  const { frame, stale } = useShown();
  const tensor = frame.tensor(name);
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
        describe={(row, column) => `“${frame.text(row)}” [${column}]`}
        marked={{ row: frame.position }}
        cellSize={[12, Math.max(2, Math.min(12, Math.floor(480 / rows)))]}
        stale={stale}
      />
    </Figure>
  );
}
