import './pairs.css';
import { useLayoutEffect, useMemo, useState } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import type { EmbeddedName } from '../embedded.ts';
import { useLater } from '../inside/later.ts';
import { openRoomText, writeInRoom } from '../models.ts';
import { Beams } from './beams.tsx';
import { Blocks } from './blocks.tsx';
import { CrossAttention } from './cross-attention.tsx';
import { Failed } from './failed.tsx';
import { AddAndNorm } from './lessons/add-and-norm.tsx';
import { CrossAttentionLesson } from './lessons/cross-attention.tsx';
import { Sinusoids } from './lessons/sinusoids.tsx';
import { type PairRun, runOf } from './pair-run.ts';
import { SourceInput } from './source-input.tsx';
import { words as common } from './words/anatomy.ts';
import { titleOf, words } from './words/pairs.ts';
import { useWriting, type Writing } from './writing-on.ts';

/** The room of a model that reads one text and writes another. */
export function PairsRoom({ model, name }: { model: WorkerEncoderDecoder; name: EmbeddedName | undefined }) {
  const [source, setSource] = useState<string | undefined>(undefined);
  const writing = useWriting(model, source);
  const done = writing.completion;
  const { value: run, failure } = useLater(
    (signal) => (done && source ? runOf(model, source, done, signal) : undefined),
    [done],
  );
  const [title, lead] = titleOf(name);
  return (
    <>
      <div class="put-in">
        <header>
          <h2>{title}</h2>
          <p class="summary">{lead}</p>
        </header>
        <SourceInput
          model={model}
          name={name}
          start={openRoomText()}
          onText={(text) => {
            if (source !== undefined) writeInRoom(text); // what it begins with is nobody's
            setSource(text);
          }}
        />
        <Written writing={writing} source={source} />
        <Failed failure={failure} />
      </div>
      <div class="opened" data-stale={failure !== undefined || writing.failure !== undefined}>
        {run && source && <Opened model={model} run={run} source={source} />}
      </div>
    </>
  );
}

function Written({ writing, source }: { writing: Writing; source: string | undefined }) {
  const { text, running, failure, completion, stop } = writing;
  if (!source) return <p class="summary">{words.empty}</p>;
  return (
    <section class="written" aria-label={words.written}>
      <p class="text" dir="auto" aria-live="polite" data-running={running}>
        {text || (running ? <span class="summary">{words.writing}</span> : '')}
      </p>
      <p class="summary">
        {running && (
          <button type="button" class="quiet" onClick={stop}>
            {common.stop}
          </button>
        )}
        {completion && words.tokens(completion.ids.length, completion.timing.tokensPerSecond)}
        {completion?.finishReason === 'abort' && `, ${words.stopped}`}
      </p>
      <Failed failure={failure} says={words.failed} />
    </section>
  );
}

/** What is inside: the same parts for every encoder-decoder, as far as its plan has them. */
function Opened({ model, run, source }: { model: WorkerEncoderDecoder; run: PairRun; source: string }) {
  const tensors = useMemo(() => model.tensors(), [model]);
  const [row, setRow] = useState(0);
  useLayoutEffect(() => setRow(0), [run]);
  const trace = (capture: string[], signal: AbortSignal) => model.trace(run.input, { capture, signal });
  return (
    <>
      <CrossAttention model={model} run={run} row={Math.min(row, run.target.length - 1)} onRow={setRow} />
      <Beams model={model} source={source} />
      <Blocks
        tensors={tensors}
        trace={trace}
        of={run}
        labels={(stack) => (stack === 'encoder' ? run.source : run.target)}
      />
      <CrossAttentionLesson model={model} run={run} row={Math.min(row, run.target.length - 1)} />
      {tensors.some(({ name }) => name === 'encoder.embed.hook_pos_embed') && <Sinusoids model={model} run={run} />}
      <AddAndNorm stack="encoder" tensors={tensors} texts={run.source} trace={trace} of={run} />
    </>
  );
}
