import type { WorkerModel } from '../../embed/client.ts';
import { useOnce } from '../inside/later.ts';
import { Failed } from '../rooms/failed.tsx';
import { useSettled } from '../rooms/later-text.ts';
import { Act } from './classes.tsx';
import { givenText, teachWriting } from './course.ts';
import { Given } from './given.tsx';
import { How } from './how.tsx';
import { piecesOf } from './pieces.ts';
import { tale } from './tale.ts';
import { words } from './words.ts';

/** The text that a model which writes learns to go on like. */
export function Style({ model, name }: { model: WorkerModel; name: string }) {
  const text = useSettled(givenText.value);
  const { value, failure, stale } = useOnce(() => piecesOf(model, text), [model, text]);
  const isEmpty = givenText.value.trim() === '';
  const canLearn = !isEmpty && !stale && value !== undefined && value.pieces.length > 1;
  const judged = value && value.pieces.length > 4 ? Math.max(1, Math.round(value.pieces.length / 6)) : 0;
  const teach = () => {
    const all = value!.pieces;
    void teachWriting(model, all.slice(0, all.length - judged), all.slice(all.length - judged));
  };
  const found = !isEmpty && value && !stale && (
    <>
      <p class={canLearn ? '' : 'wrong'}>
        {canLearn ? words.stylePieces(value.pieces.length, value.tokens, judged) : words.styleShort}
      </p>
      {value.all > value.tokens && <p class="wrong">{words.styleCut(value.all, value.tokens)}</p>}
    </>
  );
  return (
    <Given
      id="style"
      title={words.style}
      lead={words.styleLead(name)}
      sample={{ label: words.sampleTale, text: tale }}
      files={{ label: words.chooseText, accept: '.txt,.md,text/plain' }}
      field={words.styleField}
      value={givenText}
      found={found}
    >
      <Failed failure={failure} />
      {canLearn && <How model={model} />}
      <Act isHindered={!canLearn} onTeach={teach} />
    </Given>
  );
}
