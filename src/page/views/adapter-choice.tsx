import { useRef } from 'preact/hooks';
import { opened } from '../models.ts';
import { type ModelRef, nameOf } from '../sources.ts';
import { words } from './words.ts';

/** Adapters for the model that is open, which is loaded with them; its own files stay as they are. */
export function AdapterChoice({ onChoose }: { onChoose: (ref: ModelRef) => void }) {
  const asking = useRef<HTMLInputElement | undefined>(undefined);
  if (!opened.value) return null;
  const { adapter, ...base } = opened.value.ref;
  const choose = () => {
    // Made for the moment, and kept until it answers: the dialog has one field of files, that of models.
    const input = Object.assign(document.createElement('input'), { type: 'file', multiple: true });
    input.addEventListener('change', () => {
      const files = [...(input.files ?? [])];
      if (files.length) onChoose({ ...base, adapter: files });
    });
    asking.current = input;
    input.click();
  };
  return (
    <section>
      <h3>{words.addAdapter}</h3>
      <p>{words.aboutAdapters(nameOf(base))}</p>
      <button type="button" class="plain" onClick={choose}>
        {words.chooseAdapter}
      </button>
      {adapter && (
        <button type="button" class="quiet" onClick={() => onChoose(base)}>
          {words.takeOff}
        </button>
      )}
    </section>
  );
}
