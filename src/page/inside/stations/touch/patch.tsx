import { useRef, useState } from 'preact/hooks';
import { spoken, visible } from '../../../format.ts';
import { readOf } from '../../../tokens.ts';
import { Figure, Quoting } from '../../draw/figure.tsx';
import { head, layer, position } from '../../looking.ts';
import { type Reading, reading, readingOf } from '../../reading.ts';
import { touch } from '../../touch.ts';
import { words as frame } from '../../words.ts';
import { words } from './words.ts';

/** Runs a second text, and puts one of its activations in the place of this one's. */
export function Patch() {
  const [text, setText] = useState('');
  const [kind, setKind] = useState('hook_resid_pre');
  const [other, setOther] = useState<Reading | undefined>(undefined);
  const [failure, setFailure] = useState<unknown>(undefined);
  const asked = useRef(0);
  const shown = reading.value;
  if (!shown) return null;
  const name = `blocks.${layer.value}.${kind}`;
  /** What was asked for last; answers to what was asked before come too late. */
  const last = async <T,>(promise: Promise<T>, use: (value: T) => void) => {
    const mine = ++asked.current;
    const isLast = () => mine === asked.current && reading.value?.model === shown.model;
    setFailure(undefined);
    try {
      const value = await promise;
      if (isLast()) use(value);
    } catch (error) {
      if (isLast()) setFailure(error);
    }
  };
  const run = async () => {
    const ids = (await readOf(shown.model, text)).ids.slice(0, shown.model.config.nCtx);
    return ids.length > 0 ? readingOf(shown.model, ids, text) : undefined;
  };
  const take = (source: Reading, from: number) => {
    const [l, h, at] = [layer.value, head.value, position.value];
    void last(source.tensor(name), ({ data, shape }) => {
      if (reading.value !== shown) return;
      const hasHeads = shape.length === 3;
      const width = hasHeads ? shape[2]! : shape[1]!;
      const start = hasHeads ? (from * shape[1]! + h) * width : from * width;
      const values = data.slice(start, start + width);
      const where = { layer: l, name, position: at, ...(hasHeads && { head: h }) };
      touch({ kind: 'patch', ...where, model: shown.model, values, from: source.texts[from]! });
    });
  };
  return (
    <Figure title={words.patch} note={words.patchNote}>
      <form
        class="patch"
        onSubmit={(event) => {
          event.preventDefault();
          void last(run(), (next) => {
            if (!next) return;
            other?.leave();
            setOther(next);
          });
        }}
      >
        <label>
          <span>{words.otherText}</span>
          <input type="text" dir="auto" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <label>
          <span>{words.what}</span>
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
            {Object.entries(words.kinds).map(([value, label]) => (
              <option value={value}>{label}</option>
            ))}
          </select>
        </label>
        <button type="submit" class="plain" disabled={!text}>
          {words.run}
        </button>
      </form>
      {failure !== undefined && (
        <p role="alert">{frame.failed(failure instanceof Error ? failure.message : String(failure))}</p>
      )}
      {other && other.model === shown.model && (
        <>
          <p class="summary">
            <Quoting text={words.takeFrom(name, visible(shown.texts[position.value] ?? ''))} />
          </p>
          <div class="ribbon">
            {other.texts.map((token, i) => (
              <button type="button" aria-label={words.tokenOf(i, spoken(token))} onClick={() => take(other, i)}>
                {visible(token)}
              </button>
            ))}
          </div>
        </>
      )}
    </Figure>
  );
}
