import { useEffect, useRef, useState } from 'preact/hooks';
import type { WorkerEncoder } from '../../../embed/client.ts';
import { percent } from '../../format.ts';
import { rowOf, shareOf } from '../../shares.ts';
import { Failed } from '../failed.tsx';
import { Fold } from '../fold.tsx';
import { words as common } from '../words/anatomy.ts';
import { words } from '../words/lessons.ts';
import { writtenToken } from '../words-of.ts';

/** The training's objective on the visitor's text: each token taken away in turn, and how much of a surprise it is. */
export function MaskedWords(props: { model: WorkerEncoder; text: string }) {
  return (
    <Fold title={words.maskTitle} summary={words.maskSummary} name="masked-words">
      {() => <Lesson {...props} />}
    </Fold>
  );
}

interface Guess {
  text: string;
  /** What the token that stood there gets. */
  share: number;
}

function Lesson({ model, text }: { model: WorkerEncoder; text: string }) {
  const [guesses, setGuesses] = useState<readonly Guess[]>([]);
  const [count, setCount] = useState(0);
  const [failure, setFailure] = useState<unknown>(undefined);
  const [running, setRunning] = useState(false);
  const abort = useRef(new AbortController());
  const stop = () => abort.current.abort();
  const isAsked = useRef(false);
  const run = async () => {
    abort.current = new AbortController();
    const { signal } = abort.current;
    isAsked.current = true;
    setGuesses([]);
    setCount(0);
    setFailure(undefined);
    setRunning(true);
    try {
      for await (const { guess, all } of guessed(model, text, signal)) {
        if (signal.aborted) break;
        setCount(all);
        setGuesses((former) => [...former, guess]);
      }
    } catch (error) {
      if (!signal.aborted) setFailure(error);
    }
    if (abort.current.signal !== signal) return;
    isAsked.current = false;
    setRunning(false);
  };
  /** Another text takes the place of the one that is gone through. */
  useEffect(() => {
    setGuesses([]);
    setCount(0);
    if (isAsked.current) void run();
    return stop;
  }, [model, text]);
  const loss = guesses.reduce((sum, { share }) => sum - Math.log(share), 0) / Math.max(1, guesses.length);
  return (
    <>
      <p class="lead">{words.maskNote}</p>
      <p class="actions">
        <button type="button" class="plain" onClick={() => (running ? stop() : void run())}>
          {running ? common.stop : words.maskRun}
        </button>
        {guesses.length < count && <span class="summary">{words.maskOf(guesses.length, count)}</span>}
      </p>
      <Failed failure={failure} />
      {guesses.length > 0 && (
        <ol class="tints surprises" aria-label={words.maskEach}>
          {guesses.map(({ text: token, share }, i) => (
            <li key={i} data-share={share} style={{ '--strength': 1 - share }}>
              <bdi>{token}</bdi> <span>{percent(share)}</span>
            </li>
          ))}
        </ol>
      )}
      {guesses.length > 0 && guesses.length === count && !running && (
        <p class="says" data-loss={loss}>
          {words.maskSays(loss, Math.exp(loss))}
        </p>
      )}
    </>
  );
}

/** Each token but the special ones, with what it gets where a mask stands in its place. */
async function* guessed(model: WorkerEncoder, text: string, signal: AbortSignal) {
  const { tokenizer } = model;
  const { ids, types, sequence } = await tokenizer.inputs(text);
  const places = [...ids.keys()].filter((i) => sequence[i] !== null && ids[i] !== tokenizer.maskId);
  for (const at of places) {
    const masked = ids.map((id, i) => (i === at ? tokenizer.maskId! : id));
    const { logits } = await model.trace({ ids: masked, types }, { capture: [], signal });
    const spelled = await tokenizer.spelling(ids[at]!);
    yield { guess: { text: writtenToken(spelled), share: shareOf(rowOf(logits, at), ids[at]!) }, all: places.length };
  }
}
