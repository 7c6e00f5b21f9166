import { percent, shortNumber, visible } from '../../../format.ts';
import { largest, softmax } from '../../../shares.ts';
import { Failure, Figure } from '../../draw/figure.tsx';
import { useLater } from '../../later.ts';
import { type Reading, tokenText } from '../../reading.ts';
import { words } from './words.ts';

interface Guess {
  id: number;
  text: string;
  untouched: number;
  changed: number;
}

const guessesShown = 8;

/** The likeliest next tokens, untouched and changed, side by side. */
export function Prediction({ untouched, changed, at }: { untouched: Reading; changed?: Reading; at: number }) {
  const { value, failure, stale } = useLater(() => compare(untouched, changed, at), [untouched, changed, at]);
  if (failure !== undefined) return <Failure what={failure} />;
  if (!value) return null;
  const most = Math.max(...value.guesses.flatMap((guess) => [guess.untouched, guess.changed]));
  return (
    <Figure title={words.prediction(visible(value.after))} note={words.predictionNote}>
      <table
        class="prediction"
        data-tensor="logits"
        data-stale={stale}
        data-touched={value.isChanged}
        data-divergence={value.divergence}
      >
        <thead>
          <tr>
            <td />
            <th scope="col">{words.untouched}</th>
            {value.isChanged && <th scope="col">{words.touched}</th>}
          </tr>
        </thead>
        <tbody>
          {value.guesses.map((guess) => (
            <tr data-id={guess.id} data-untouched={guess.untouched} data-changed={guess.changed}>
              <th scope="row">
                <bdi>{visible(guess.text)}</bdi>
              </th>
              <Bar share={guess.untouched} most={most} />
              {value.isChanged && <Bar share={guess.changed} most={most} />}
            </tr>
          ))}
        </tbody>
      </table>
      {value.isChanged && <p class="summary">{words.divergence(shortNumber(value.divergence))}</p>}
    </Figure>
  );
}

function Bar({ share, most }: { share: number; most: number }) {
  return (
    <td>
      <span class="bar-of" style={{ '--share': share / most }} />
      <span>{percent(share)}</span>
    </td>
  );
}

/** The guesses, and what they are of: what stands over them goes with them. */
async function compare(untouched: Reading, changed: Reading | undefined, at: number) {
  const before = softmax(await untouched.logits(at));
  const after = changed ? softmax(await changed.logits(at)) : before;
  const ids = new Set([...largest(before, guessesShown), ...(changed ? largest(after, guessesShown) : [])]);
  const guesses: Guess[] = await Promise.all(
    [...ids].map(async (id) => ({
      id,
      text: await tokenText(untouched.model, id),
      untouched: before[id]!,
      changed: after[id]!,
    })),
  );
  let divergence = 0;
  for (const [id, p] of before.entries()) if (p > 0) divergence += p * Math.log(p / Math.max(after[id]!, 1e-30));
  return {
    guesses: guesses.sort((a, b) => b.changed - a.changed),
    divergence: Math.max(0, divergence),
    after: untouched.texts[at] ?? '',
    isChanged: changed !== undefined,
  };
}
