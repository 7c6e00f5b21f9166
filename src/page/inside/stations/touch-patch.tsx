import { useState } from 'preact/hooks';
import { visible } from '../draw/numbers.ts';
import { head, layer, position } from '../looking.ts';
import { Reading, reading } from '../reading.ts';
import { Figure } from '../station.tsx';
import { touch } from '../touch.ts';
import { words } from '../words/touch.ts';

/** Runs a second text, and puts one of its activations in the place of this one's. */
export function Patch() {
  const [text, setText] = useState('');
  const [kind, setKind] = useState('hook_resid_pre');
  const [other, setOther] = useState<Reading | undefined>(undefined);
  const shown = reading.value;
  if (!shown) return null;
  const name = `blocks.${layer.value}.${kind}`;
  const run = async () => {
    const ids = (await shown.model.encode(text)).slice(0, shown.model.config.nCtx);
    if (ids.length === 0) return;
    setOther(new Reading(shown.model, ids, await Promise.all(ids.map((id) => shown.model.token(id)))));
  };
  const take = async (source: Reading, from: number) => {
    const { data, shape } = await source.tensor(name);
    const hasHeads = shape.length === 3;
    const width = hasHeads ? shape[2]! : shape[1]!;
    const start = hasHeads ? (from * shape[1]! + head.value) * width : from * width;
    const values = data.slice(start, start + width);
    const where = { name, position: position.value, ...(hasHeads && { head: head.value }) };
    touch({ kind: 'patch', ...where, values, from: source.texts[from]! });
  };
  return (
    <Figure title={words.patch} note={words.patchNote}>
      <form
        class="patch"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <label>
          <span>{words.otherText}</span>
          <input type="text" value={text} onInput={(event) => setText(event.currentTarget.value)} />
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
      {other && other.model === shown.model && (
        <>
          <p class="summary">{words.takeFrom(name, visible(shown.texts[position.value] ?? ''))}</p>
          <div class="ribbon">
            {other.texts.map((token, i) => (
              <button type="button" aria-label={words.tokenOf(i, token)} onClick={() => void take(other, i)}>
                {visible(token)}
              </button>
            ))}
          </div>
        </>
      )}
    </Figure>
  );
}
