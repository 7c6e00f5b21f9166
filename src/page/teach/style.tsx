import { useState } from 'preact/hooks';
import type { WorkerModel } from '../../embed/client.ts';
import { useOnce } from '../inside/later.ts';
import { Failed } from '../rooms/failed.tsx';
import { useSettled } from '../rooms/later-text.ts';
import { Act } from './classes.tsx';
import { givenText, isLearning, teachStyle } from './course.ts';
import { FileChoice, useDropped } from './files.tsx';
import { How } from './how.tsx';
import { piecesOf } from './pieces.ts';
import { tale } from './tale.ts';
import { words } from './words.ts';

/** The text that a model which writes learns to go on like. */
export function Style({ model, name }: { model: WorkerModel; name: string }) {
  const [refused, setRefused] = useState<string | undefined>(undefined);
  const take = (text: string) => {
    setRefused(undefined);
    givenText.value = text;
  };
  const read = useDropped(take, setRefused);
  const text = useSettled(givenText.value);
  const { value, failure, stale } = useOnce(() => piecesOf(model, text), [model, text]);
  const isEmpty = givenText.value.trim() === '';
  const canLearn = !isEmpty && !stale && value !== undefined && value.pieces.length > 1;
  const judged = value && value.pieces.length > 4 ? Math.max(1, Math.round(value.pieces.length / 6)) : 0;
  const teach = () => {
    const all = value!.pieces;
    void teachStyle(model, all.slice(0, all.length - judged), all.slice(all.length - judged));
  };
  return (
    <section class="examples" aria-labelledby="style-title">
      <h3 id="style-title">{words.style}</h3>
      <p class="summary">{words.styleLead(name)}</p>
      <div class="actions">
        <button type="button" class={isEmpty ? 'primary' : 'plain'} onClick={() => take(tale)}>
          {words.sampleTale}
        </button>
        <FileChoice label={words.chooseText} accept=".txt,.md,text/plain" onFile={read} />
        {!isEmpty && (
          <button type="button" class="quiet" disabled={isLearning.value} onClick={() => take('')}>
            {words.clear}
          </button>
        )}
      </div>
      <textarea
        rows={isEmpty ? 4 : 8}
        dir="auto"
        spellcheck={false}
        aria-label={words.styleField}
        aria-describedby="style-found"
        value={givenText.value}
        onInput={(event) => take(event.currentTarget.value)}
      />
      <div id="style-found" class="found" role="status">
        {refused && <p class="wrong">{refused}</p>}
        {!isEmpty && value && !stale && (
          <>
            <p class={canLearn ? '' : 'wrong'}>
              {canLearn ? words.stylePieces(value.pieces.length, value.tokens, judged) : words.styleShort}
            </p>
            {value.all > value.tokens && <p class="wrong">{words.styleCut(value.all, value.tokens)}</p>}
          </>
        )}
      </div>
      <Failed failure={failure} />
      {canLearn && <How model={model} />}
      <Act isHindered={!canLearn} onTeach={teach} />
    </section>
  );
}
