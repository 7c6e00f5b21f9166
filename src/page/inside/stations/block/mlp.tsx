import { useMemo } from 'preact/hooks';
import { largest, magnitudeOf } from '../../../shares.ts';
import { Matrix } from '../../draw/matrix.tsx';
import { CellLink, Legend, Part, Vector } from '../../draw/part.tsx';
import { useShown } from '../../frame.ts';
import { openNeuron } from '../../looking.ts';
import { words as frameWords } from '../../words.ts';
import { Curve } from './curve.tsx';
import { words } from './words.ts';

/** The MLP for the token looked at: up, through the curve, down. */
export function Mlp({ hook }: { hook: string }) {
  const { frame, stale } = useShown();
  const { nEmbd, nInner, activation } = frame.reading.model.config;
  const gated = frame.reading.model.tensors().some(({ name }) => name === `${hook}.mlp.hook_pre_linear`);
  const names = { pre: `${hook}.mlp.hook_pre`, post: `${hook}.mlp.hook_post` };
  const [pre, post, at] = [frame.row(names.pre), frame.row(names.post), frame.position];
  return (
    <>
      <Part title={words.up} hooks={[names.pre]} note={words.upNote(nEmbd, nInner)}>
        <Neurons name={names.pre} columns={nEmbd} />
      </Part>
      <Part
        title={words.curve(activation)}
        hooks={[names.post]}
        note={words.curveNote(nInner, gated)}
        take="activation"
      >
        <div class="activation" data-tensor={names.post}>
          <Curve
            kind={activation}
            x={pre}
            y={post}
            cellAt={(neuron) => ({ kind: 'tensor', name: names.post, index: [at, neuron] })}
            stale={stale}
          />
          <TopNeurons pre={pre} post={post} at={at} names={names} layer={frame.layer} />
        </div>
      </Part>
      <Part title={words.down} hooks={[`${hook}.hook_mlp_out`]} note={words.downNote}>
        <Vector name={`${hook}.hook_mlp_out`} />
      </Part>
    </>
  );
}

/** A row of the MLP's hidden layer, folded to lines of `columns` where it divides into them. */
function Neurons({ name, columns }: { name: string; columns: number }) {
  const { frame, stale } = useShown();
  const [row, at] = [frame.row(name), frame.position];
  const limit = useMemo(() => magnitudeOf(row), [row]);
  const width = row.length % columns === 0 ? columns : row.length;
  return (
    <div class="band neurons">
      <Matrix
        label={frameWords.row(name, frame.text())}
        data={row}
        rows={row.length / width}
        columns={width}
        scale="signed"
        limit={limit}
        tensor={name}
        cellAt={(line, column) => ({ kind: 'tensor', name, index: [at, line * width + column] })}
        describe={(line, column) => words.neuronAt(line * width + column)}
        stale={stale}
      />
      <Legend scale="signed" limit={limit} />
    </div>
  );
}

interface TopNeuronsProps {
  /** [nInner] */
  pre: Float32Array;
  post: Float32Array;
  at: number;
  names: { pre: string; post: string };
  layer: number;
}

const mostNeurons = 10;

function TopNeurons({ pre, post, at, names, layer }: TopNeuronsProps) {
  const top = useMemo(() => largest(post, mostNeurons), [post]);
  const most = Math.max(post[top[0]!]!, Number.MIN_VALUE);
  return (
    <table class="neurons-table">
      <caption>{words.topNeurons}</caption>
      <thead>
        <tr>
          <th scope="col">{words.neuron}</th>
          <th scope="col">{words.pre}</th>
          <th scope="col" colSpan={2}>
            {words.post}
          </th>
        </tr>
      </thead>
      <tbody>
        {top.map((neuron) => (
          <tr key={neuron} data-neuron={neuron}>
            <th scope="row">
              <button
                type="button"
                class="cell-link"
                aria-label={words.openNeuron(neuron)}
                onClick={() => openNeuron({ layer, neuron })}
              >
                {neuron}
              </button>
            </th>
            <td>
              <CellLink
                what={`${words.neuronAt(neuron)}, ${words.pre}`}
                to={{ kind: 'tensor', name: names.pre, index: [at, neuron] }}
                value={pre[neuron]!}
              />
            </td>
            <td>
              <CellLink
                what={`${words.neuronAt(neuron)}, ${words.post}`}
                to={{ kind: 'tensor', name: names.post, index: [at, neuron] }}
                value={post[neuron]!}
              />
            </td>
            <td class="bar-room">
              <span
                class="amount"
                data-sign={Math.sign(post[neuron]!)}
                style={{ '--share': Math.max(0, post[neuron]! / most) }}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
