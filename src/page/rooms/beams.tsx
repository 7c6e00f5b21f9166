import { useState } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import type { Sequence } from '../../index.ts';
import { percent } from '../format.ts';
import { useLater } from '../inside/later.ts';
import { type Branch, treeOf } from './beam-tree.ts';
import { Failed } from './failed.tsx';
import { Fold } from './fold.tsx';
import { words } from './words/pairs.ts';

const counts = [2, 4, 8];

/** The texts that beam search keeps, as a tree of their tokens. */
export function Beams(props: { model: WorkerEncoderDecoder; source: string }) {
  return (
    <Fold title={words.beamsTitle} summary={words.beamsSummary} name="beams">
      {() => <Search {...props} />}
    </Fold>
  );
}

function Search({ model, source }: { model: WorkerEncoderDecoder; source: string }) {
  const [count, setCount] = useState(4);
  const { value, failure, stale } = useLater((signal) => search(model, source, count, signal), [model, source, count]);
  return (
    <>
      <p class="summary">{words.beamsNote(count)}</p>
      <fieldset class="choices">
        <legend>{words.beams}</legend>
        {counts.map((one) => (
          <label key={one}>
            <input type="radio" name="beams" checked={one === count} onChange={() => setCount(one)} />
            <span>{one}</span>
          </label>
        ))}
      </fieldset>
      <Failed failure={failure} says={words.failed} />
      {value ? (
        <div class="beam-tree" data-stale={stale}>
          <Children branches={value} />
        </div>
      ) : (
        failure === undefined && <p class="summary">{words.searching}</p>
      )}
    </>
  );
}

async function search(model: WorkerEncoderDecoder, source: string, count: number, signal: AbortSignal) {
  const options = { numBeams: count, numReturnSequences: count, signal };
  const { sequences } = await model.complete(source, options);
  const into = model.tokenizer.target ?? model.tokenizer;
  const ids = new Set(sequences!.flatMap((sequence: Sequence) => sequence.ids));
  const texts = new Map(
    await Promise.all(
      [...ids].map(
        async (id): Promise<[number, string]> => [
          id,
          id === into.eosId ? ' ⏎' : (await into.spelling(id)).replace(/^[▁Ġ]/, ' '),
        ],
      ),
    ),
  );
  return treeOf(sequences!, (id) => texts.get(id)!);
}

function Children({ branches }: { branches: readonly Branch[] }) {
  return (
    <ul>
      {branches.map((branch) => (
        <li key={branch.tokens.map(({ id }) => id).join(' ')} data-best={branch.best}>
          <span class="tokens" dir="auto">
            {branch.tokens.map(({ text, logprob }, i) => (
              <span
                key={i}
                title={percent(Math.exp(logprob))}
                data-logprob={logprob}
                style={{ '--share': Math.exp(logprob) }}
              >
                {text}
              </span>
            ))}
          </span>
          {branch.score !== undefined && (
            <span class="score" title={words.scoreTitle}>
              {words.score(branch.score)}
            </span>
          )}
          {branch.children.length > 0 && <Children branches={branch.children} />}
        </li>
      ))}
    </ul>
  );
}
