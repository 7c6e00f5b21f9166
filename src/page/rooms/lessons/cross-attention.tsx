import { useMemo } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../../embed/client.ts';
import type { TracedTensor } from '../../../index.ts';
import { shortNumber } from '../../format.ts';
import { Quoting } from '../../inside/draw/figure.tsx';
import { useLater } from '../../inside/later.ts';
import { attentionsOf } from '../anatomy.ts';
import { Failed } from '../failed.tsx';
import { Fold } from '../fold.tsx';
import { sharpest } from '../look.tsx';
import type { PairRun } from '../pair-run.ts';
import { words } from '../words/lessons.ts';

interface Props {
  model: WorkerEncoderDecoder;
  run: PairRun;
  /** The written token that asks. */
  row: number;
}

/** One written token's query with the keys of what was read, down to the shares. */
export function CrossAttentionLesson(props: Props) {
  return (
    <Fold title={words.crossTitle} summary={words.crossSummary} name="cross-attention">
      {() => <Lesson {...props} />}
    </Fold>
  );
}

const mostKeys = 6;

function Lesson({ model, run, row }: Props) {
  const attentions = useMemo(() => attentionsOf(model.tensors()).filter(({ crosses }) => crosses), [model]);
  const { attention, head } = useMemo(() => sharpest(attentions, run), [attentions, run]);
  const hook = attention.name.replace(/hook_pattern$/, '');
  const { value, failure, stale } = useLater(
    async (signal) => {
      const names = ['hook_q', 'hook_k', 'hook_attn_scores', 'hook_pattern'].map((name) => hook + name);
      const trace = await model.trace(run.input, { capture: names, signal });
      return names.map((name) => trace.get(name)!) as [TracedTensor, TracedTensor, TracedTensor, TracedTensor];
    },
    [model, run, hook],
  );
  if (!value || stale) return <Failed failure={failure} />;
  const [q, k, scores, pattern] = value;
  const [, , keys = 0] = pattern.shape;
  const start = (head * run.target.length + row) * keys;
  const all = run.source.map((text, key) => ({
    ...{ text, key, product: productOf(q, k, head, row, key) },
    score: scores.data[start + key]!,
    share: pattern.data[start + key]!,
  }));
  const shown = [...all].sort((a, b) => b.share - a.share).slice(0, mostKeys);
  const [best] = shown;
  const scale = best!.product === 0 ? 1 : best!.score / best!.product;
  return (
    <>
      <p class="lead">
        <Quoting text={words.crossNote(run.target[row]!, attention.layer, head)} />
      </p>
      <table class="numbers">
        <caption>{words.crossCaption}</caption>
        <thead>
          <tr>
            <th scope="col">{words.crossToken}</th>
            <th scope="col">{words.crossProduct}</th>
            <th scope="col">{words.crossScaled(shortNumber(scale))}</th>
            <th scope="col">{words.crossShare}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ text, key, product, score, share }) => (
            <tr key={key} data-key={key}>
              <th scope="row">
                <bdi>{text}</bdi>
              </th>
              <td data-value={product}>{shortNumber(product)}</td>
              <td data-value={score}>{shortNumber(score)}</td>
              <td data-value={share}>{share.toFixed(3)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="summary">{words.crossSum(all.reduce((sum, { share }) => sum + share, 0))}</p>
      <p class="says">
        <Quoting text={words.crossSays(run.target[row]!, best!.text, best!.share)} />
      </p>
    </>
  );
}

/** Of [rows, heads, width] the product of a row's head with another's. */
function productOf(q: TracedTensor, k: TracedTensor, head: number, row: number, key: number): number {
  const [, heads = 1, width = 1] = q.shape;
  let sum = 0;
  for (let i = 0; i < width; i++) {
    sum += q.data[(row * heads + head) * width + i]! * k.data[(key * heads + head) * width + i]!;
  }
  return sum;
}
