import { useState } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { Figure } from '../inside/draw/figure.tsx';
import { useOnce } from '../inside/later.ts';
import { opened } from '../models.ts';
import { Failed } from '../rooms/failed.tsx';
import { useSettled } from '../rooms/later-text.ts';
import { wearing } from './adapter-on.ts';
import { Act } from './classes.tsx';
import { givenPairs, pairs, teachWriting } from './course.ts';
import { dates } from './dates.ts';
import { Given } from './given.tsx';
import { How } from './how.tsx';
import { words } from './words.ts';

const mostProblems = 5;

/** The examples of a model that makes a text of another. */
export function Pairs({ model }: { model: WorkerEncoderDecoder }) {
  const { ref } = opened.value!;
  const readsDates = ref.kind === 'embedded' && ref.name === 'tiny-dates';
  const { rows, problems } = pairs.value;
  const isEmpty = givenPairs.value.trim() === '';
  const canLearn = rows.length > 1;
  const judged = rows.length > 4 ? Math.max(1, Math.round(rows.length / 6)) : 0;
  const teach = () => {
    const all = rows.map(({ text, label }) => ({ source: text, target: label }));
    void teachWriting(model, all.slice(0, all.length - judged), all.slice(all.length - judged));
  };
  const found = !isEmpty && (
    <>
      <p class={canLearn ? '' : 'wrong'} data-pairs={rows.length}>
        {canLearn ? words.foundPairs(rows.length, judged) : words.fewPairs}
      </p>
      {problems.length > 0 && (
        <div class="wrong">
          <p>{words.leftOut(problems.length)}</p>
          <ul>
            {problems.slice(0, mostProblems).map((problem) => (
              <li key={`${problem.line} ${problem.what}`}>{words.problem(problem, false)}</li>
            ))}
            {problems.length > mostProblems && <li>{words.moreProblems(problems.length - mostProblems)}</li>}
          </ul>
        </div>
      )}
    </>
  );
  return (
    <Given
      id="pairs"
      title={words.examples}
      lead={readsDates ? words.datesLead : words.pairsLead}
      sample={readsDates ? { label: words.sample, text: dates } : undefined}
      files={{ label: words.chooseFile, accept: '.csv,.tsv,.txt,text/csv,text/plain' }}
      field={words.pairsField}
      placeholder={words.pairsPlaceholder}
      value={givenPairs}
      found={found}
    >
      {canLearn && <How model={model} />}
      <Act isHindered={!canLearn} onTeach={teach} />
    </Given>
  );
}

/** The same text, and what the model makes of it without and with what was learnt. */
export function Becomes({ model, adapter }: { model: WorkerEncoderDecoder; adapter: Adapter }) {
  const [source, setSource] = useState(pairs.value.rows.at(-1)?.text ?? '');
  const text = useSettled(source.trim(), 400);
  const { value, failure, stale } = useOnce(
    async (signal) => {
      if (!text) return undefined;
      const complete = () => model.complete(text, { signal });
      const before = await wearing(model, null, complete);
      signal.throwIfAborted();
      return { before, after: await wearing(model, adapter, complete) };
    },
    [model, adapter, text],
  );
  return (
    <Figure title={words.becomes} note={words.becomesNote}>
      <div class="beginning">
        <input
          type="text"
          dir="auto"
          aria-label={words.becomesText}
          value={source}
          onInput={(event) => setSource(event.currentTarget.value)}
        />
      </div>
      <Failed failure={failure} />
      {value && (
        <div class="sides" data-stale={stale}>
          {(['before', 'after'] as const).map((side) => (
            <section key={side} aria-label={words[side]} data-side={side}>
              <h4>{words[side]}</h4>
              <p class="says" dir="auto">
                <span class={side === 'after' ? 'written' : ''}>{value[side].text}</span>
              </p>
            </section>
          ))}
        </div>
      )}
    </Figure>
  );
}
