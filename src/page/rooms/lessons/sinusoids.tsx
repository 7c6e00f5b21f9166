import { useMemo, useState } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../../embed/client.ts';
import { Figure } from '../../inside/draw/figure.tsx';
import { Matrix } from '../../inside/draw/matrix.tsx';
import { useLater } from '../../inside/later.ts';
import { Stepper } from '../../views/stepper.tsx';
import { Failed } from '../failed.tsx';
import { Fold } from '../fold.tsx';
import type { PairRun } from '../pair-run.ts';
import { words as common } from '../words/anatomy.ts';
import { words } from '../words/lessons.ts';

const name = 'encoder.embed.hook_pos_embed';

/** The positions of the visitor's text, where they are sines and cosines. */
export function Sinusoids(props: { model: WorkerEncoderDecoder; run: PairRun }) {
  return (
    <Fold title={words.sineTitle} summary={words.sineSummary} name="sinusoids">
      {() => <Lesson {...props} />}
    </Fold>
  );
}

function Lesson({ model, run }: { model: WorkerEncoderDecoder; run: PairRun }) {
  const [token, setToken] = useState(1);
  const { value, failure } = useLater(
    async (signal) => ({
      tensor: (await model.trace(run.input, { capture: [name], signal })).get(name)!,
      source: run.source,
    }),
    [model, run],
  );
  const { tensor, source = [] } = value ?? {};
  const products = useMemo(() => tensor && productsOf(tensor.data, tensor.shape[0]!), [tensor]);
  if (!tensor || !products) return <Failed failure={failure} />;
  const [rows = 0, width = 0] = tensor.shape;
  const at = Math.min(token, rows - 1);
  return (
    <>
      <Figure title={words.sineSummary} note={words.sineNote(width)}>
        <Matrix
          label={words.sineTitle}
          data={tensor.data}
          rows={rows}
          columns={width}
          scale="signed"
          limit={1}
          tensor={name}
          describe={(row, column) => common.at(source[row] ?? '', column)}
          marked={{ row: at }}
          onPick={(row) => setToken(row)}
          cellSize={[8, 12]}
        />
        <div class="steppers">
          <Stepper what={words.sinePosition} value={at} count={rows} onChange={setToken} />
          <b class="token">
            <bdi>{source[at]}</bdi>
          </b>
        </div>
        <ul class="says">
          {[0, 1, Math.floor(width / 4)].map((i) => (
            <li key={i}>{words.sineSays(at, i, width, tensor.data[at * width + i]!)}</li>
          ))}
        </ul>
      </Figure>
      <Figure
        title={words.sineProducts}
        note={rows > 1 && words.sineProductsNote(1, products[1]!, products[rows * rows - 2]!)}
      >
        <Matrix
          label={words.sineProducts}
          data={products}
          rows={rows}
          columns={rows}
          scale="signed"
          describe={(row, column) => common.looks(source[row] ?? '', source[column] ?? '')}
          cellSize={[22, 22]}
        />
      </Figure>
    </>
  );
}

/** The product of each row with each other: [rows, rows]. */
function productsOf(data: Float32Array, rows: number): Float32Array {
  const width = data.length / rows;
  const products = new Float32Array(rows * rows);
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b < rows; b++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += data[a * width + i]! * data[b * width + i]!;
      products[a * rows + b] = sum;
    }
  }
  return products;
}
