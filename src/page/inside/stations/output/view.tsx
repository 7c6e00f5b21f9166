import './style.css';
import { useMemo } from 'preact/hooks';
import { visible } from '../../../format.ts';
import { rankOf, shareOf } from '../../../shares.ts';
import { settings } from '../../../writing.ts';
import { Failure, Quoting } from '../../draw/figure.tsx';
import { Matrix } from '../../draw/matrix.tsx';
import { Legend, Part, Vector } from '../../draw/part.tsx';
import { Framed, useFrame, useShown } from '../../frame.ts';
import { current, touched, reading as untouched } from '../../reading.ts';
import { useTexts } from '../../texts.ts';
import { words as frameWords } from '../../words.ts';
import { Norm } from '../block/norm.tsx';
import { Draw } from './draw.tsx';
import { PipelineTable } from './pipeline.tsx';
import { pipelineOf } from './stages.ts';
import { words } from './words.ts';

/** From the last block's stream to the token that sampling picks, after the token looked at. */
export function Output() {
  const { nLayer } = current.value!.model.config;
  const stream = `blocks.${nLayer - 1}.hook_resid_post`;
  const { frame, stale, failure } = useFrame([stream, 'ln_final.hook_scale', 'ln_final.hook_normalized', 'logits']);
  if (failure !== undefined) return <Failure what={failure} />;
  if (!frame) return <p class="summary">{frameWords.reading}</p>;
  return (
    <Framed value={{ frame, stale: stale! }}>
      <ol class="block-flow" aria-label={words.flow(frame.text())} data-position={frame.position}>
        <Part title={words.stream} hooks={[stream]} on="stream">
          <Vector name={stream} />
        </Part>
        <Norm which="final" hook="ln_final" input={stream} />
        <Logits />
        <Sampling />
      </ol>
    </Framed>
  );
}

const lineLength = 512;

/** The whole vocabulary, a pixel a token. */
function Logits() {
  const { frame, stale } = useShown();
  const { logits, position: at } = frame;
  const rows = Math.ceil(logits.length / lineLength);
  const { data, middle, limit } = useMemo(() => {
    const data = new Float32Array(rows * lineLength).fill(Number.NaN);
    data.set(logits);
    const middle = logits.reduce((sum, logit) => sum + logit, 0) / logits.length;
    const limit = logits.reduce((most, logit) => Math.max(most, Math.abs(logit - middle)), 0);
    return { data, middle, limit };
  }, [logits]);
  const idAt = (row: number, column: number) => Math.min(row * lineLength + column, logits.length - 1);
  return (
    <Part title={words.logits} hooks={['logits']} note={words.logitsNote(logits.length, lineLength)}>
      <Matrix
        label={words.logitsPicture(frame.text())}
        data={data}
        rows={rows}
        columns={lineLength}
        scale="signed"
        middle={middle}
        limit={limit}
        tensor="logits"
        cellAt={(row, column) => ({ kind: 'tensor', name: 'logits', index: [at, idAt(row, column)] })}
        describe={(row, column) => words.id(idAt(row, column))}
        cellSize={[2, 2]}
        stale={stale}
      />
      <Legend scale="signed" limit={limit} middle={middle} />
    </Part>
  );
}

function Sampling() {
  const { frame, stale } = useShown();
  const { logits, reading, position: at } = frame;
  const isTouched = reading === touched.value;
  const { frame: plain, stale: isOld } = useFrame(isTouched ? ['logits'] : [], untouched.value);
  const before = isTouched && !isOld && plain?.position === at && plain.reading === untouched.value ? plain : undefined;
  const dials = settings.value;
  const prompt = reading.ids.slice(0, at + 1);
  const pipeline = useMemo(() => pipelineOf(logits, dials, prompt), [logits, dials, String(prompt)]);
  const other = useMemo(
    () => before && pipelineOf(before.logits, dials, prompt, pipeline.shown),
    [before, dials, pipeline],
  );
  const next = reading.ids[at + 1];
  const wanted = [...pipeline.shown, ...(next === undefined ? [] : [next])];
  const texts = useTexts(reading.model, wanted);
  const text = (id: number) => visible(texts.get(id) ?? '…');
  return (
    <>
      <PipelineTable pipeline={pipeline} other={other} settings={dials} at={at} text={text} stale={stale} />
      <Draw
        picked={pipeline.picked}
        seed={dials.seed}
        text={text}
        said={stale ? undefined : next !== undefined ? words.within : isTouched ? words.changed : words.completeWrites}
      >
        {next !== undefined && <GoesOn logits={logits} id={next} text={text} />}
      </Draw>
    </>
  );
}

/** How likely the model found the token that the text really has next. */
function GoesOn({ logits, id, text }: { logits: Float32Array; id: number; text: (id: number) => string }) {
  const { rank, share } = useMemo(() => ({ rank: rankOf(logits, id), share: shareOf(logits, id) }), [logits, id]);
  return (
    <p class="goes-on" data-id={id} data-rank={rank} data-share={share}>
      <Quoting text={words.goesOn(text(id), rank, share)} />
    </p>
  );
}
