import { fixed } from '../format.ts';
import './encoder.css';
import { useMemo, useState } from 'preact/hooks';
import type { WorkerEncoder } from '../../embed/client.ts';
import type { Trace } from '../../index.ts';
import { Figure } from '../inside/draw/figure.tsx';
import { useLater } from '../inside/later.ts';
import { openRoomText, writeInRoom } from '../models.ts';
import { attentionsOf } from './anatomy.ts';
import { Blocks } from './blocks.tsx';
import { CosineTable, cosine } from './cosines.tsx';
import { Failed } from './failed.tsx';
import { useSettled } from './later-text.ts';
import { AddAndNorm } from './lessons/add-and-norm.tsx';
import { Packing } from './lessons/packing.tsx';
import { SelfAttention } from './self-attention.tsx';
import { Shares } from './shares.tsx';
import { TextField } from './text-field.tsx';
import { words as common } from './words/anatomy.ts';
import { words } from './words/encoder.ts';
import { writtenToken } from './words-of.ts';

interface SentencesRun {
  texts: readonly string[];
  vectors: readonly Float32Array[];
  /** Of the sentence that is compared with. */
  tokens: readonly string[];
  trace: Trace;
}

/** The room of a model that makes a point of each sentence: ranked by how alike they are, and all pairs. */
export function SentencesRoom({ model }: { model: WorkerEncoder }) {
  const [first, ...others] = (openRoomText() ?? `${words.queryOpening}\n${words.sentencesOpening}`).split('\n');
  const [query, setQuery] = useState(first!);
  const [list, setList] = useState(others.join('\n'));
  const texts = useSettled([query, ...list.split('\n')].map((text) => text.trim()).filter(Boolean), 300);
  const later = useLater(texts.length > 0 && ((signal) => runOf(model, texts, signal)), [model, texts]);
  const { value: run, failure, stale } = later;
  const change = (nextQuery: string, nextList: string) => {
    writeInRoom(`${nextQuery}\n${nextList}`);
    setQuery(nextQuery);
    setList(nextList);
  };
  const { pooling } = model.sentences;
  return (
    <>
      <div class="put-in">
        <header>
          <h2>{words.sentencesTitle}</h2>
          <p class="summary">{words.sentencesLead}</p>
        </header>
        <div class="sentence-fields">
          <TextField id="query" label={words.query} value={query} onText={(next) => change(next, list)} />
          <TextField
            id="sentences"
            label={words.sentences}
            rows={6}
            value={list}
            onText={(next) => change(query, next)}
          />
        </div>
        <Failed failure={failure} />
        {texts.length < 2 ? (
          <p class="summary">{words.more}</p>
        ) : run && run.texts.length > 1 ? (
          <div class="ranked" data-stale={stale}>
            <Figure title={words.ranked} note={words.pooling([pooling].flat().join(', '), run.vectors[0]!.length)}>
              <Shares label={words.ranked} shares={rankedOf(run)} show={(share) => fixed(share, 3)} />
            </Figure>
            <Figure title={words.table} note={words.tableOf}>
              <CosineTable texts={run.texts} vectors={run.vectors} />
            </Figure>
          </div>
        ) : (
          failure === undefined && <p class="summary">{common.reading}</p>
        )}
      </div>
      <div class="opened" data-stale={failure !== undefined}>
        {run && <Opened model={model} run={run} />}
      </div>
    </>
  );
}

function Opened({ model, run }: { model: WorkerEncoder; run: SentencesRun }) {
  const tensors = useMemo(() => model.tensors(), [model]);
  const [row, setRow] = useState(1);
  const [text] = run.texts;
  const trace = (capture: string[], signal: AbortSignal) => model.trace(text!, { capture, signal });
  const read = { source: run.tokens, target: run.tokens, trace: run.trace };
  return (
    <>
      <SelfAttention tensors={tensors} read={read} row={Math.min(row, run.tokens.length - 1)} onRow={setRow} />
      <Blocks tensors={tensors} trace={trace} of={run} labels={() => run.tokens} />
      <AddAndNorm stack="blocks" tensors={tensors} texts={run.tokens} trace={trace} of={run} />
      <Packing model={model} texts={run.texts} />
    </>
  );
}

async function runOf(model: WorkerEncoder, texts: readonly string[], signal: AbortSignal): Promise<SentencesRun> {
  const capture = attentionsOf(model.tensors()).map(({ name }) => name);
  const [vectors, trace] = await Promise.all([
    model.embed(texts, { signal }),
    model.trace(texts[0]!, { capture, signal }),
  ]);
  const tokens = await Promise.all(trace.tokens.map((id) => model.tokenizer.spelling(id)));
  return { texts, vectors, trace, tokens: tokens.map(writtenToken) };
}

function rankedOf({ texts, vectors }: SentencesRun) {
  const [query] = vectors;
  const all = texts.slice(1).map((label, i) => ({ key: i, label, share: cosine(query!, vectors[i + 1]!) }));
  return all.sort((a, b) => b.share - a.share);
}
