import './style.css';
import { useMemo } from 'preact/hooks';
import { settings } from '../../../writing.ts';
import { Matrix } from '../../draw/matrix.tsx';
import { visible } from '../../../format.ts';
import { position } from '../../looking.ts';
import { current, type Reading, touched, reading as untouched, useLater } from '../../reading.ts';
import { words as block } from '../block/words.ts';
import { words } from './words.ts';
import { Norm } from '../block/norm.tsx';
import { Legend, Part, tokenText, Vector } from '../../draw/part.tsx';
import { Draw } from './draw.tsx';
import { PipelineTable } from './pipeline.tsx';
import { pipelineOf } from './stages.ts';

/** From the last block's stream to the token that sampling picks, after the token looked at. */
export function Output() {
  const reading = current.value;
  const at = position.value;
  const { value: logits, stale } = useLater(() => reading?.logits(at), [reading, at]);
  if (!reading) return null;
  const stream = `blocks.${reading.model.config.nLayer - 1}.hook_resid_post`;
  return (
    <ol class="block-flow" aria-label={words.flow(tokenText())} data-position={at}>
      <Part title={words.stream} hooks={[stream]} on="stream">
        <Vector name={stream} />
      </Part>
      <Norm title={block.finalNorm} hook="ln_final" input={stream} />
      {logits && <Logits logits={logits} at={at} stale={stale} />}
      {logits && <Sampling logits={logits} reading={reading} at={at} stale={stale} />}
    </ol>
  );
}

const lineLength = 512;

/** The whole vocabulary, a pixel a token. */
function Logits({ logits, at, stale }: { logits: Float32Array; at: number; stale: boolean }) {
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
        label={words.logitsPicture(tokenText(at))}
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

interface SamplingProps {
  logits: Float32Array;
  reading: Reading;
  at: number;
  stale: boolean;
}

function Sampling({ logits, reading, at, stale }: SamplingProps) {
  const { value: before } = useLater(
    () => (touched.value ? untouched.value?.logits(at) : undefined),
    [touched.value, at],
  );
  const dials = settings.value;
  const prompt = reading.ids.slice(0, at + 1);
  const pipeline = useMemo(() => pipelineOf(logits, dials, prompt), [logits, dials, String(prompt)]);
  const other = useMemo(() => {
    return touched.value && before ? pipelineOf(before, dials, prompt, pipeline.shown) : undefined;
  }, [before, touched.value, dials, pipeline]);
  const next = reading.ids[at + 1];
  const wanted = [...pipeline.shown, ...(next === undefined ? [] : [next])];
  const texts = useTexts(reading, wanted);
  const text = (id: number) => visible(texts.get(id) ?? '…');
  return (
    <>
      <PipelineTable pipeline={pipeline} other={other} settings={dials} at={at} text={text} stale={stale} />
      <Draw picked={pipeline.picked} seed={dials.seed} text={text} within={next !== undefined} touched={Boolean(other)}>
        {next !== undefined && <GoesOn logits={logits} id={next} text={text} />}
      </Draw>
    </>
  );
}

/** How likely the model found the token that the text really has next. */
function GoesOn({ logits, id, text }: { logits: Float32Array; id: number; text: (id: number) => string }) {
  const { rank, share } = useMemo(() => {
    const own = logits[id]!;
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - own), 0);
    return { rank: 1 + logits.reduce((above, logit) => above + (logit > own ? 1 : 0), 0), share: 1 / sum };
  }, [logits, id]);
  return (
    <p class="goes-on" data-id={id} data-rank={rank} data-share={share}>
      {words.goesOn(text(id), rank, share)}
    </p>
  );
}

/** Tokens' texts; those asked for before are there at once. */
function useTexts({ model }: Reading, ids: readonly number[]): ReadonlyMap<number, string> {
  const { value } = useLater(
    async () => new Map(await Promise.all(ids.map(async (id) => [id, await model.tokenizer.token(id)] as const))),
    [model, String(ids)],
  );
  return value ?? new Map();
}
