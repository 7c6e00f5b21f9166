import { momentsOf } from '../../../shares.ts';
import { CellLink, Part, Vector } from '../../draw/part.tsx';
import { useShown } from '../../frame.ts';
import { words } from './words.ts';

interface NormProps {
  title: string;
  /** `blocks.0.ln1`; the tensors are its hook_scale and hook_normalized. */
  hook: string;
  /** The tensor that is normalised. */
  input: string;
}

/** LayerNorm of the token looked at: its moments, and the row before and after. */
export function Norm({ title, hook, input }: NormProps) {
  const { frame } = useShown();
  const moments = momentsOf(frame.row(input));
  return (
    <Part title={title} hooks={[`${hook}.hook_scale`, `${hook}.hook_normalized`]} note={words.normNote}>
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
              to={{ kind: 'tensor', name: `${hook}.hook_scale`, index: [frame.position, 0] }}
              value={frame.row(`${hook}.hook_scale`)[0]!}
            />
          </dd>
        </div>
      </dl>
      <div class="addition">
        <Vector name={input} label={words.before} />
        <Vector name={`${hook}.hook_normalized`} label={words.after} />
      </div>
    </Part>
  );
}
