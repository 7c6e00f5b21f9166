import { momentsOf } from '../../../shares.ts';
import { CellLink, Part, Vector } from '../../draw/part.tsx';
import { useShown } from '../../frame.ts';
import { words } from './words.ts';

interface NormProps {
  /** The block's first or second, or that before the words. */
  which: 1 | 2 | 'final';
  /** `blocks.0.ln1`; the tensors are its hook_scale and hook_normalized. */
  hook: string;
  /** The tensor that is normalised. */
  input: string;
}

/** The norm of the token looked at: its moments, and the row before and after. */
export function Norm({ which, hook, input }: NormProps) {
  const { frame } = useShown();
  const moments = momentsOf(frame.row(input));
  const centred = !('rmsNormEpsilon' in frame.reading.model.config);
  const scale = centred ? words.scale : words.rms;
  return (
    <Part
      title={words.norm(which, centred)}
      hooks={[`${hook}.hook_scale`, `${hook}.hook_normalized`]}
      note={centred ? words.normNote : words.rmsNote}
    >
      <dl class="moments">
        {centred ? (
          <>
            <div>
              <dt>{words.mean}</dt>
              <dd data-value={moments.mean}>{moments.mean.toPrecision(3).replace('-', '−')}</dd>
            </div>
            <div>
              <dt>{words.variance}</dt>
              <dd data-value={moments.variance}>{moments.variance.toPrecision(3)}</dd>
            </div>
          </>
        ) : (
          <div>
            <dt>{words.meanSquare}</dt>
            <dd>{(moments.variance + moments.mean ** 2).toPrecision(3)}</dd>
          </div>
        )}
        <div>
          <dt>{scale}</dt>
          <dd>
            <CellLink
              what={scale}
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
