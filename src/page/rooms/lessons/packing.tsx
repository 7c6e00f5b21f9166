import { useState } from 'preact/hooks';
import type { WorkerEncoder } from '../../../embed/client.ts';
import { useLater } from '../../inside/later.ts';
import { Failed } from '../failed.tsx';
import { Fold } from '../fold.tsx';
import { useSettled } from '../later-text.ts';
import { TextField } from '../text-field.tsx';
import { words } from '../words/lessons.ts';

/** A batch of texts as it is run, beside the rectangle that it is elsewhere. */
export function Packing(props: { model: WorkerEncoder; texts: readonly string[] }) {
  return (
    <Fold title={words.packTitle} summary={words.packSummary} name="packing">
      {() => <Lesson {...props} />}
    </Fold>
  );
}

function Lesson({ model, texts: given }: { model: WorkerEncoder; texts: readonly string[] }) {
  const [text, setText] = useState(given.join('\n'));
  const texts = useSettled(
    text.split('\n').filter((line) => line.trim()),
    300,
  );
  const later = useLater(texts.length > 0 && ((signal) => measured(model, texts, signal)), [model, texts]);
  const { value, failure } = later;
  return (
    <>
      <p class="lead">{words.packNote}</p>
      <div class="sentence-fields">
        <TextField id="packed-texts" label={words.packTexts} rows={4} value={text} onText={setText} />
      </div>
      <Failed failure={failure} />
      {value && <Batches lengths={value.lengths} difference={value.difference} />}
    </>
  );
}

function Batches({ lengths, difference }: { lengths: readonly number[]; difference: number }) {
  const longest = Math.max(...lengths);
  const [padded, packed] = [longest * lengths.length, lengths.reduce((a, b) => a + b, 0)];
  return (
    <>
      <div class="batches">
        <figure>
          <figcaption data-rows={padded}>{words.packPadded(padded)}</figcaption>
          <div class="rows-of" data-padded style={{ '--longest': longest }}>
            {lengths.map((length, text) => (
              <div key={text} title={words.packRow(text)}>
                {Array.from({ length: longest }, (_, i) => (
                  <span key={i} data-text={text % 6} data-empty={i >= length} />
                ))}
              </div>
            ))}
          </div>
        </figure>
        <figure>
          <figcaption data-rows={packed}>{words.packPacked(packed)}</figcaption>
          <div class="rows-of">
            {lengths.map((length, text) => (
              <div key={text} title={words.packRow(text)}>
                {Array.from({ length }, (_, i) => (
                  <span key={i} data-text={text % 6} />
                ))}
              </div>
            ))}
          </div>
        </figure>
      </div>
      <p class="says">{words.packSays(1 - packed / padded)}</p>
      <p class="says" data-difference={difference}>
        {words.packSame(difference)}
      </p>
    </>
  );
}

/** Texts run together and each alone: rows of each, and the largest difference of any number of their hidden states. */
async function measured(model: WorkerEncoder, texts: readonly string[], signal: AbortSignal) {
  const together = await model.run(texts, { truncation: true, signal });
  let difference = 0;
  for (const [i, text] of texts.entries()) {
    const [alone] = (await model.run([text], { truncation: true, signal })).hidden;
    const { data } = together.hidden[i]!;
    for (let j = 0; j < data.length; j++) difference = Math.max(difference, Math.abs(data[j]! - alone!.data[j]!));
  }
  return { lengths: together.hidden.map(({ shape }) => shape[0]!), difference };
}
