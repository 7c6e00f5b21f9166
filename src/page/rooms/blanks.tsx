import './encoder.css';
import { useLayoutEffect, useMemo, useState } from 'preact/hooks';
import type { WorkerEncoder } from '../../embed/client.ts';
import type { Trace } from '../../index.ts';
import { percent } from '../format.ts';
import { Quoting } from '../inside/draw/figure.tsx';
import { useLater } from '../inside/later.ts';
import { openRoomText, writeInRoom } from '../models.ts';
import { largest, rowOf, softmax } from '../shares.ts';
import { attentionsOf } from './anatomy.ts';
import { Blocks } from './blocks.tsx';
import { Failed } from './failed.tsx';
import { useSettled } from './later-text.ts';
import { AddAndNorm } from './lessons/add-and-norm.tsx';
import { MaskedWords } from './lessons/masked-words.tsx';
import { Packing } from './lessons/packing.tsx';
import { SelfAttention } from './self-attention.tsx';
import { Shares } from './shares.tsx';
import { TextField } from './text-field.tsx';
import { words } from './words/encoder.ts';
import { maskedText, splitWords, writtenToken } from './words-of.ts';

interface Blank {
  /** Its row in the text. */
  at: number;
  /** Best first. */
  fits: { id: number; text: string; share: number }[];
  /** The word that was there. */
  was: { text: string; share: number; rank: number } | { text: string };
}

interface BlanksRun {
  /** What was asked: the text, and which of its words were taken away. */
  asked: { text: string; gone: readonly number[] };
  masked: string;
  texts: string[];
  blanks: Blank[];
  trace: Trace;
}

/** The room of a model that knows what fits: any word can be taken away. */
export function BlanksRoom({ model }: { model: WorkerEncoder }) {
  const [text, setText] = useState(openRoomText() ?? words.opening);
  const [away, setAway] = useState<ReadonlySet<number>>(() => new Set(openRoomText() === undefined ? [6] : []));
  const parts = useMemo(() => splitWords(text), [text]);
  const gone = [...away].filter((i) => parts.words[i] !== undefined).sort((a, b) => a - b);
  const asked = useSettled({ text, gone }, 150);
  const isThere = asked.text.trim() !== '';
  const later = useLater(isThere && ((signal) => runOf(model, asked.text, asked.gone, signal)), [model, asked]);
  const { value: run, failure, stale } = later;
  const change = (next: string) => {
    writeInRoom(next);
    setText(next);
  };
  const toggle = (i: number) => setAway(new Set(away.has(i) ? gone.filter((one) => one !== i) : [...gone, i]));
  const take = (of: BlanksRun, blank: number, word: string) => {
    const i = of.asked.gone[blank]!;
    if (of.asked.text !== text || !away.has(i)) return; // it would fit into what is no more
    change(parts.with(i, word));
    setAway(new Set(gone.filter((one) => one !== i)));
  };
  return (
    <>
      <div class="put-in">
        <header>
          <h2>{words.blanksTitle}</h2>
          <p class="summary">{words.blanksLead}</p>
        </header>
        <div class="source-input">
          <TextField
            id="blanks-text"
            label={words.text}
            isUnseen
            rows={2}
            value={text}
            onText={(next) => {
              change(next);
              setAway(new Set(gone));
            }}
          />
          <p class="summary">{words.blanksHint}</p>
        </div>
        <div class="blank-words" role="group" aria-label={words.blanksHint}>
          {parts.words.map((word, i) => (
            <button
              type="button"
              key={i}
              aria-pressed={away.has(i)}
              aria-label={words.word(word, away.has(i))}
              onClick={() => toggle(i)}
            >
              <bdi>{word}</bdi>
            </button>
          ))}
          {gone.length > 1 && (
            <button type="button" class="quiet" onClick={() => setAway(new Set())}>
              {words.putBack}
            </button>
          )}
        </div>
        <Failed failure={failure} />
        {gone.length === 0 && <p class="summary">{words.noBlank}</p>}
        {run && (
          <div class="blanks" data-stale={stale}>
            {run.blanks.map((blank, i) => (
              <Fits
                key={blank.at}
                blank={blank}
                place={i}
                count={run.blanks.length}
                onTake={(word) => take(run, i, word)}
              />
            ))}
          </div>
        )}
      </div>
      <div class="opened" data-stale={failure !== undefined}>
        {run && <Opened model={model} run={run} />}
      </div>
    </>
  );
}

function Fits({
  blank,
  place,
  count,
  onTake,
}: {
  blank: Blank;
  place: number;
  count: number;
  onTake: (word: string) => void;
}) {
  const { fits, was } = blank;
  return (
    <section class="fits" aria-label={words.fits(place, count)}>
      <h3>{words.fits(place, count)}</h3>
      <Shares
        label={words.fits(place, count)}
        shares={fits.map(({ id, text, share }) => ({ key: id, label: text, share, onPick: () => onTake(text) }))}
      />
      <p class="summary">
        <Quoting
          text={'share' in was ? words.was(was.text, percent(was.share), was.rank) : words.wasUnknown(was.text)}
        />
      </p>
    </section>
  );
}

function Opened({ model, run }: { model: WorkerEncoder; run: BlanksRun }) {
  const tensors = useMemo(() => model.tensors(), [model]);
  const first = run.blanks[0]?.at ?? 0;
  const [row, setRow] = useState(first);
  useLayoutEffect(() => setRow(first), [first, run.texts.length]);
  const trace = (capture: string[], signal: AbortSignal) => model.trace(run.masked, { capture, signal });
  const read = { source: run.texts, target: run.texts, trace: run.trace };
  return (
    <>
      <SelfAttention tensors={tensors} read={read} row={Math.min(row, run.texts.length - 1)} onRow={setRow} />
      <Blocks tensors={tensors} trace={trace} of={run} labels={() => run.texts} />
      <MaskedWords model={model} text={run.masked} />
      <AddAndNorm stack="blocks" tensors={tensors} texts={run.texts} trace={trace} of={run} />
      <Packing model={model} texts={[run.masked, ...words.packed]} />
    </>
  );
}

const most = 8;

async function runOf(
  model: WorkerEncoder,
  text: string,
  gone: readonly number[],
  signal: AbortSignal,
): Promise<BlanksRun> {
  const { tokenizer } = model;
  const mask = await tokenizer.spelling(tokenizer.maskId!);
  const parts = splitWords(text);
  const masked = maskedText(parts, new Set(gone), mask);
  const capture = attentionsOf(model.tensors()).map(({ name }) => name);
  const trace = await model.trace(masked, { capture, signal });
  const { tokens, logits } = trace;
  const places = [...tokens.keys()].filter((i) => tokens[i] === tokenizer.maskId);
  const blanks = await Promise.all(
    places.map(async (at, i): Promise<Blank> => {
      const shares = softmax(rowOf(logits, at));
      const fits = await Promise.all(
        largest(shares, most).map(async (id) => ({ id, text: await wordOf(tokenizer, id), share: shares[id]! })),
      );
      return { at, fits, was: await wasOf(tokenizer, parts.words[gone[i]!] ?? '', shares) };
    }),
  );
  const texts = await Promise.all(
    tokens.map(async (id) => (id === tokenizer.maskId ? words.blank : writtenToken(await tokenizer.spelling(id)))),
  );
  return { asked: { text, gone }, masked, texts, blanks, trace };
}

const wordOf = async (tokenizer: WorkerEncoder['tokenizer'], id: number) =>
  (await tokenizer.spelling(id)).replace(/^[▁Ġ]/, '');

async function wasOf(tokenizer: WorkerEncoder['tokenizer'], text: string, shares: Float64Array): Promise<Blank['was']> {
  const ids = [await tokenizer.encode(` ${text}`), await tokenizer.encode(text)].find(({ length }) => length === 1);
  if (!ids) return { text };
  const share = shares[ids[0]!]!;
  return { text, share, rank: 1 + shares.reduce((count, other) => count + Number(other > share), 0) };
}
