import { useState } from 'preact/hooks';
import { Figure } from '../inside/draw/figure.tsx';
import { type Course, evaluation, type Shown } from './course.ts';
import { Miniature } from './miniature.tsx';
import { words } from './words.ts';

const mostShown = 12;

type Cell = readonly [is: number, says: number];

interface Judged extends Shown {
  is: number;
  says: number;
}

/** What is told as what of the kept examples, at the last evaluation; mistakes can be looked at. */
export function Confusion({ run, onTry }: { run: Course; onTry: (one: Shown) => void }) {
  const [cell, setCell] = useState<Cell | undefined>(undefined);
  const predicted = evaluation.value?.predicted;
  if (!predicted) return null;
  const { labels, judged } = run;
  const all = judged.map((one, i) => ({ ...one, is: labels.indexOf(one.label), says: predicted[i]! }));
  const counts = labels.map((_, is) =>
    labels.map((_, says) => all.filter((one) => one.is === is && one.says === says).length),
  );
  const most = counts.reduce((most, row) => Math.max(most, sumOf(row)), 0);
  const right = sumOf(counts.map((row, i) => row[i]!));
  const wrong = all.filter(({ is, says }) => is !== says);
  const chosen = wrong.some(({ is, says }) => is === cell?.[0] && says === cell[1]) ? cell : undefined;
  return (
    <Figure title={words.confusion} note={words.confusionNote}>
      <p class="says" data-right={right} data-all={all.length}>
        {words.accuracy(right, all.length)} <span class="summary">({words.chance(most / all.length)})</span>
      </p>
      <Table labels={labels} counts={counts} chosen={chosen} onChoose={setCell} />
      <Mistakes {...{ labels, wrong, chosen, onTry }} onAll={() => setCell(undefined)} />
    </Figure>
  );
}

const sumOf = (row: readonly number[]) => row.reduce((a, b) => a + b, 0);

interface TableProps {
  labels: readonly string[];
  counts: readonly (readonly number[])[];
  chosen: Cell | undefined;
  onChoose: (cell: Cell | undefined) => void;
}

function Table({ labels, counts, chosen, onChoose }: TableProps) {
  const mistake = (is: number, says: number, count: number) => {
    const isChosen = chosen?.[0] === is && chosen[1] === says;
    return (
      <button
        type="button"
        aria-pressed={isChosen}
        aria-label={words.cell(labels[is]!, labels[says]!, count)}
        onClick={() => onChoose(isChosen ? undefined : [is, says])}
      >
        {count}
      </button>
    );
  };
  return (
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
          {counts.map((row, is) => (
            <tr key={labels[is]}>
              <th scope="row">
                <bdi>{labels[is]}</bdi>
              </th>
              {row.map((count, says) => (
                <td
                  key={labels[says]}
                  data-count={count}
                  data-right={is === says}
                  style={{ '--share': count / Math.max(1, sumOf(row)) }}
                >
                  {count > 0 && is !== says ? mistake(is, says, count) : count || <span class="none">0</span>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface MistakesProps {
  labels: readonly string[];
  wrong: readonly Judged[];
  chosen: Cell | undefined;
  onAll: () => void;
  onTry: (one: Shown) => void;
}

function Mistakes({ labels, wrong, chosen, onAll, onTry }: MistakesProps) {
  const shown = chosen ? wrong.filter(({ is, says }) => is === chosen[0] && says === chosen[1]) : wrong;
  return (
    <div class="mistakes">
      <h4>
        {words.mistakes} {wrong.length > 0 && <span class="summary">{shown.length}</span>}
        {chosen && (
          <button type="button" class="quiet" onClick={onAll}>
            {words.allMistakes}
          </button>
        )}
      </h4>
      {wrong.length === 0 && <p class="summary">{words.noMistakes}</p>}
      <ul>
        {shown.slice(0, mostShown).map((one, i) => (
          <li key={`${one.text} ${i}`}>
            <button type="button" class="quiet" onClick={() => onTry(one)}>
              {one.pixels ? <Miniature pixels={one.pixels} label={one.text} /> : <bdi class="word">{one.text}</bdi>}
              <span class="summary">{words.mistake(labels[one.is]!, labels[one.says]!)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
