import { useState } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { opened } from '../models.ts';
import { Act } from './classes.tsx';
import { givenPairs, pairs, teachWriting } from './course.ts';
import { dates } from './dates.ts';
import { Given } from './given.tsx';
import { How } from './how.tsx';
import { Problems } from './problems.tsx';
import { Sides } from './sides.tsx';
import { words } from './words.ts';

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
      <Problems problems={problems} hasClasses={false} />
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
  return (
    <Sides
      model={model}
      adapter={adapter}
      title={words.becomes}
      note={words.becomesNote}
      label={words.becomesText}
      value={source}
      onValue={setSource}
      make={(text, signal) => model.complete(text.trim(), { signal })}
    />
  );
}
