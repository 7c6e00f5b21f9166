import { words } from './words.ts';
import { CellLink, Part, useRow, Vector } from '../../draw/part.tsx';

interface NormProps {
  title: string;
  /** `blocks.0.ln1`; the tensors are its hook_scale and hook_normalized. */
  hook: string;
  /** The tensor that is normalised. */
  input: string;
}

/** LayerNorm of the token looked at: its moments, and the row before and after. */
export function Norm({ title, hook, input }: NormProps) {
  const { row } = useRow(input);
  const scale = useRow(`${hook}.hook_scale`);
  const moments = row && momentsOf(row);
  return (
    <Part title={title} hooks={[`${hook}.hook_scale`, `${hook}.hook_normalized`]} note={words.normNote}>
      {moments && scale.row && (
        <dl class="moments">
          <div>
            <dt>{words.mean}</dt>
            <dd data-value={moments.mean}>{moments.mean.toPrecision(3).replace('-', '−')}</dd>
          </div>
          <div>
            <dt>{words.variance}</dt>
            <dd data-value={moments.variance}>{moments.variance.toPrecision(3)}</dd>
          </div>
          <div>
            <dt>{words.scale}</dt>
            <dd>
              <CellLink
                what={words.scale}
                to={{ kind: 'tensor', name: `${hook}.hook_scale`, index: [scale.at, 0] }}
                value={scale.row[0]!}
              />
            </dd>
          </div>
        </dl>
      )}
      <div class="addition">
        <Vector name={input} label={words.before} />
        <Vector name={`${hook}.hook_normalized`} label={words.after} />
      </div>
    </Part>
  );
}

/** As LayerNorm has them: the variance over n, not n − 1. */
export function momentsOf(row: Float32Array): { mean: number; variance: number } {
  const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
  return { mean, variance: row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length };
}
