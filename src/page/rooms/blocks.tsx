import { useMemo, useState } from 'preact/hooks';
import type { TensorSpec, TracedTensor } from '../../index.ts';
import { Matrix } from '../inside/draw/matrix.tsx';
import { useLater } from '../inside/later.ts';
import { Stepper } from '../views/stepper.tsx';
import { headOf, type Stack, stacksOf, tensorsOf } from './anatomy.ts';
import { Failed } from './failed.tsx';
import { Fold } from './fold.tsx';
import { plainName, words } from './words/anatomy.ts';

interface Props {
  tensors: readonly TensorSpec[];
  trace: (capture: string[], signal: AbortSignal) => Promise<ReadonlyMap<string, TracedTensor>>;
  /** What is run; another one is read anew. */
  of: unknown;
  /** What stands in each row of a stack. */
  labels: (stack: Stack) => readonly string[];
}

/** Every tensor of a block, drawn from the plan, whatever the family is. */
export function Blocks(props: Props) {
  return (
    <Fold title={words.blocksTitle} summary={words.blocksSummary} name="blocks">
      {() => <Block {...props} />}
    </Fold>
  );
}

function Block({ tensors, trace, of, labels }: Props) {
  const stacks = useMemo(() => stacksOf(tensors), [tensors]);
  const [stack, setStack] = useState<Stack>([...stacks.keys()][0]!);
  const [layer, setLayer] = useState(0);
  const [head, setHead] = useState(0);
  const parts = useMemo(() => tensorsOf(tensors, stack, layer), [tensors, stack, layer]);
  const heads = Number(parts.find(({ name }) => name.endsWith('hook_pattern'))?.shape[0] ?? 1);
  const names = parts.map(({ name }) => name);
  // What stands in the rows goes with the numbers.
  const { value, failure, stale } = useLater(
    async (signal) => ({ traced: await trace(names, signal), labels }),
    [of, stack, layer],
  );
  const other = { blocks: 'blocks', encoder: 'decoder', decoder: 'encoder' } as const;
  return (
    <>
      <div class="steppers">
        {stacks.size > 1 && (
          <fieldset class="choices">
            <legend class="unseen">{words.stack}</legend>
            {[...stacks.keys()].map((one) => (
              <label key={one}>
                <input
                  type="radio"
                  name="stack"
                  checked={one === stack}
                  onChange={() => {
                    setStack(one);
                    setLayer(0);
                  }}
                />
                <span>{words.stacks[one]}</span>
              </label>
            ))}
          </fieldset>
        )}
        <Stepper what={words.block} value={layer} count={stacks.get(stack) ?? 1} onChange={setLayer} />
        <Stepper what={words.head} value={Math.min(head, heads - 1)} count={heads} onChange={setHead} />
      </div>
      <Failed failure={failure} />
      <ol class="tensors">
        {parts.map(({ name }) => {
          const tensor = value?.traced.get(name);
          const crosses = name.includes('cross_attn');
          return (
            tensor && (
              <Part
                key={name}
                name={name}
                tensor={tensor}
                head={Math.min(head, heads - 1)}
                rowLabels={value!.labels(/cross_attn\.hook_[kv]$/.test(name) ? 'encoder' : stack)}
                keyLabels={value!.labels(crosses ? other[stack] : stack)}
                stale={stale}
              />
            )
          );
        })}
      </ol>
    </>
  );
}

interface PartProps {
  name: string;
  tensor: TracedTensor;
  head: number;
  rowLabels: readonly string[];
  keyLabels: readonly string[];
  stale: boolean;
}

function Part({ name, tensor, head, rowLabels, keyLabels, stale }: PartProps) {
  const { data, rows, columns, ofHead } = useMemo(() => sliceOf(name, tensor, head), [name, tensor, head]);
  const isPattern = name.endsWith('hook_pattern');
  const isScore = isPattern || name.endsWith('hook_attn_scores');
  return (
    <li data-stream={/hook_(normalized_)?resid/.test(name)}>
      <h4>
        {plainName(name)} <code>{name}</code>
      </h4>
      <Matrix
        label={words.rows(ofHead ? `${name}, ${words.head.toLowerCase()} ${head}` : name)}
        data={data}
        rows={rows}
        columns={columns}
        scale={isPattern ? 'amount' : 'signed'}
        tensor={name}
        describe={(row, column) =>
          isScore ? words.looks(rowLabels[row] ?? '', keyLabels[column] ?? '') : words.at(rowLabels[row] ?? '', column)
        }
        cellSize={isScore ? [16, 16] : [columns === 1 ? 16 : 5, rows > 32 ? 5 : 10]}
        stale={stale}
      />
    </li>
  );
}

/** What of a tensor is drawn: a head's part of [heads, rows, keys] and of [rows, heads, n], all of [rows, n]. */
function sliceOf(name: string, tensor: TracedTensor, head: number) {
  const [a = 1, b = 1, c] = tensor.shape;
  if (c === undefined) return { data: tensor.data, rows: a, columns: b, ofHead: false };
  if (/hook_(pattern|attn_scores)$/.test(name))
    return { data: headOf(tensor, head), rows: b, columns: c, ofHead: true };
  const data = new Float32Array(a * c);
  const of = Math.min(head, b - 1); // keys and values may have fewer heads
  for (let row = 0; row < a; row++) data.set(tensor.data.subarray((row * b + of) * c, (row * b + of + 1) * c), row * c);
  return { data, rows: a, columns: c, ofHead: true };
}
