import { useMemo, useState } from 'preact/hooks';
import type { TensorSpec, TracedTensor } from '../../../index.ts';
import { Quoting } from '../../inside/draw/figure.tsx';
import { Matrix } from '../../inside/draw/matrix.tsx';
import { useLater } from '../../inside/later.ts';
import { magnitudeOf, momentsOf, rowOf } from '../../shares.ts';
import { Stepper } from '../../views/stepper.tsx';
import { type Stack, stacksOf } from '../anatomy.ts';
import { Failed } from '../failed.tsx';
import { Fold } from '../fold.tsx';
import { words as common } from '../words/anatomy.ts';
import { words } from '../words/lessons.ts';

interface Props {
  stack: Stack;
  tensors: readonly TensorSpec[];
  texts: readonly string[];
  trace: (capture: string[], signal: AbortSignal) => Promise<ReadonlyMap<string, TracedTensor>>;
  of: unknown;
}

/** The norm behind the sum, as the first transformers have it, with the numbers of one token; nothing where norms stand elsewhere. */
export function AddAndNorm(props: Props) {
  if (!props.tensors.some(({ name }) => name === `${props.stack}.0.hook_normalized_resid_post`)) return null;
  return (
    <Fold title={words.normTitle} summary={words.normSummary} name="add-and-norm">
      {() => <Lesson {...props} />}
    </Fold>
  );
}

const partsOf = (block: string) => [
  `${block}.hook_resid_pre`,
  `${block}.hook_attn_out`,
  `${block}.hook_resid_mid`,
  `${block}.ln1.hook_normalized`,
];

function Lesson({ stack, tensors, texts: given, trace, of }: Props) {
  const count = useMemo(() => stacksOf(tensors).get(stack) ?? 1, [tensors, stack]);
  const [layer, setLayer] = useState(0);
  const [token, setToken] = useState(0);
  const blocks = Array.from({ length: count }, (_, i) => `${stack}.${i}`);
  const names = blocks.flatMap((block) => [...partsOf(block), `${block}.ln1.hook_scale`]);
  // Tokens and their numbers are of one run.
  const { value, failure, stale } = useLater(
    async (signal) => ({ traced: await trace(names, signal), texts: given }),
    [of, stack],
  );
  if (!value) return <Failed failure={failure} />;
  const { traced, texts } = value;
  const at = Math.min(token, texts.length - 1);
  const row = (name: string) => rowOf(traced.get(name)!, at);
  const rows = partsOf(`${stack}.${layer}`).map((name) => ({ name, data: row(name) }));
  const limit = magnitudeOf(...rows.map(({ data }) => data));
  const scale = row(`${stack}.${layer}.ln1.hook_scale`)[0]!;
  return (
    <>
      <p class="lead">{words.normNote}</p>
      <div class="steppers">
        <Stepper what={words.normToken} value={at} count={texts.length} onChange={setToken} />
        <b class="token">
          <bdi>{texts[at]}</bdi>
        </b>
        <Stepper what={common.block} value={layer} count={count} onChange={setLayer} />
      </div>
      <ol class="tensors strips">
        {rows.map(({ name, data }, i) => (
          <li key={name} data-stream={i !== 1}>
            <h4>
              {words.normParts[i]} <code>{name}</code>
            </h4>
            <Matrix
              label={name}
              data={data}
              rows={1}
              columns={data.length}
              scale="signed"
              limit={limit}
              tensor={name}
              cellSize={[8, 18]}
              stale={stale}
            />
          </li>
        ))}
      </ol>
      <p class="says">
        <Quoting text={words.normSays(texts[at]!, spread(rows[2]!.data), scale)} />
      </p>
      <Spreads
        label={words.normEach(count)}
        before={blocks.map((block) => spread(row(`${block}.hook_resid_mid`)))}
        after={blocks.map((block) => spread(row(`${block}.ln1.hook_normalized`)))}
      />
      <p class="lead">{words.normWhy}</p>
    </>
  );
}

function Spreads({ label, before, after }: { label: string; before: readonly number[]; after: readonly number[] }) {
  const most = Math.max(...before, ...after);
  const bar = (value: number) => (
    <td>
      <span class="amount" style={{ '--share': value / most }} /> {value.toFixed(2)}
    </td>
  );
  return (
    <table class="spreads">
      <caption>{label}</caption>
      <thead>
        <tr>
          <th scope="col">{common.block}</th>
          <th scope="col">{words.normBefore}</th>
          <th scope="col">{words.normAfter}</th>
        </tr>
      </thead>
      <tbody>
        {before.map((value, i) => (
          <tr key={i}>
            <th scope="row">{i}</th>
            {bar(value)}
            {bar(after[i]!)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The standard deviation. */
const spread = (values: Float32Array): number => Math.sqrt(momentsOf(values).variance);
