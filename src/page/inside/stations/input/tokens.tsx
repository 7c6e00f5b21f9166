import { signal } from '@preact/signals';
import { visible } from '../../../format.ts';
import { Figure } from '../../draw/figure.tsx';
import { useLater } from '../../later.ts';
import { lookAt, position } from '../../looking.ts';
import { current, type Reading } from '../../reading.ts';
import { words } from './words.ts';

type Base = 'none' | 'hex' | 'decimal';

const base = signal<Base>('none');

/** The text as tokens with their ids and, when asked for, their bytes. */
export function Tokens() {
  const reading = current.value!;
  const chosen = position.value;
  const bytes = useBytes(reading);
  return (
    <Figure
      title={words.tokens}
      note={`${words.tokensNote(reading.model.config.vocabSize)} ${words.count(reading.ids.length)}.`}
    >
      <fieldset class="bytes-choice">
        <legend>{words.bytes}</legend>
        <Choice value="none" name={words.bytesNone} />
        <Choice value="hex" name={words.bytesHex} />
        <Choice value="decimal" name={words.bytesDecimal} />
      </fieldset>
      <ol class="token-list">
        {reading.ids.map((id, i) => (
          <li key={i}>
            <button type="button" aria-pressed={i === chosen} data-id={id} onClick={() => lookAt({ position: i })}>
              <bdi class="word">{visible(reading.texts[i]!)}</bdi> <span class="id">{id}</span>{' '}
              {bytes && <span class="bytes">{spelled(bytes[i])}</span>}
            </button>
          </li>
        ))}
      </ol>
    </Figure>
  );
}

function Choice({ value, name }: { value: Base; name: string }) {
  return (
    <label>
      <input type="radio" name="bytes" checked={base.value === value} onChange={() => (base.value = value)} />
      {name}
    </label>
  );
}

/** Each token's bytes, once they are asked for. */
function useBytes(reading: Reading): Uint8Array[] | undefined {
  const asked = base.value !== 'none';
  const { value } = useLater(async () => {
    if (!asked) return undefined;
    const ids = [...new Set(reading.ids)];
    const all = await Promise.all(ids.map((id) => reading.model.tokenizer.bytes(id)));
    const bytesOf = new Map(ids.map((id, i) => [id, all[i]!]));
    return { of: reading, bytes: reading.ids.map((id) => bytesOf.get(id)!) };
  }, [reading, asked]);
  return asked && value?.of === reading ? value.bytes : undefined;
}

function spelled(bytes: Uint8Array | undefined): string {
  const one = (byte: number) =>
    base.value === 'hex' ? byte.toString(16).toUpperCase().padStart(2, '0') : String(byte);
  return Array.from(bytes ?? [], one).join(' ');
}
