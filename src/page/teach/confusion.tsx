import { useState } from 'preact/hooks';
import { Figure } from '../inside/draw/figure.tsx';
import { type Course, evaluation } from './course.ts';
import { tried } from './tried.ts';
import { words } from './words.ts';

const mostShown = 12;

/** What is told as what of the kept examples, at the last evaluation; mistakes can be looked at. */
export function Confusion({ run }: { run: Course }) {
  const [cell, setCell] = useState<readonly [is: number, says: number] | undefined>(undefined);
  const predicted = evaluation.value?.predicted;
  if (!predicted) return null;
  const { labels, judged } = run;
  const all = judged.map(({ text, label }, i) => ({ text, is: labels.indexOf(label), says: predicted[i]! }));
  const counts = labels.map((_, is) =>
    labels.map((_, says) => all.filter((one) => one.is === is && one.says === says).length),
  );
  const sums = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const right = counts.reduce((sum, row, i) => sum + row[i]!, 0);
  const wrong = all.filter((one) => one.is !== one.says);
  const chosen = cell && wrong.some((one) => one.is === cell[0] && one.says === cell[1]) ? cell : undefined;
  const shown = chosen ? wrong.filter((one) => one.is === chosen[0] && one.says === chosen[1]) : wrong;
  return (
    <Figure title={words.confusion} note={words.confusionNote}>
      <p class="says" data-right={right} data-all={all.length}>
        {words.accuracy(right, all.length)}{' '}
        <span class="summary">({words.chance(Math.max(...sums) / all.length)})</span>
      </p>
      <div class="table-room" tabIndex={0} role="group" aria-label={words.confusion}>
        <table class="confusion">
          <thead>
            <tr>
              <th scope="col">
                {words.is} ↓ <span class="says-head">{words.says} →</span>
              </th>
              {labels.map((label) => (
                <th scope="col" key={label}>
                  <bdi>{label}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {labels.map((label, is) => (
              <tr key={label}>
                <th scope="row">
                  <bdi>{label}</bdi>
                </th>
                {counts[is]!.map((count, says) => (
                  <td
                    key={labels[says]}
                    data-count={count}
                    data-right={is === says}
                    style={{ '--share': sums[is] ? count / sums[is]! : 0 }}
                  >
                    {count > 0 && is !== says ? (
                      <button
                        type="button"
                        aria-pressed={chosen?.[0] === is && chosen[1] === says}
                        aria-label={words.cell(label, labels[says]!, count)}
                        onClick={() => setCell(chosen?.[0] === is && chosen[1] === says ? undefined : [is, says])}
                      >
                        {count}
                      </button>
                    ) : (
                      count || <span class="none">0</span>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="mistakes">
        <h4>
          {words.mistakes} {wrong.length > 0 && <span class="summary">{shown.length}</span>}
          {chosen && (
            <button type="button" class="quiet" onClick={() => setCell(undefined)}>
              {words.allMistakes}
            </button>
          )}
        </h4>
        {wrong.length === 0 && <p class="summary">{words.noMistakes}</p>}
        <ul>
          {shown.slice(0, mostShown).map(({ text, is, says }) => (
            <li key={text}>
              <button type="button" class="quiet" onClick={() => (tried.value = text)}>
                <bdi class="word">{text}</bdi>
                <span class="summary">{words.mistake(labels[is]!, labels[says]!)}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </Figure>
  );
}
