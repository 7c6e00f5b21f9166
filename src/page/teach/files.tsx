import { useLayoutEffect, useRef } from 'preact/hooks';
import { bytes } from '../strings.ts';
import { words } from './words.ts';

const mostBytes = 2e6;
const isTable = (file: File) => /\.(csv|tsv|txt)$/i.test(file.name) || /^text\/(csv|plain|tab)/.test(file.type);

/** Reads files of text: those that are given to the function, and those that are dropped anywhere while this is shown. */
export function useDropped(onText: (text: string) => void, onRefused: (why: string) => void): (file: File) => void {
  const read = async (file: File) => {
    if (file.size > mostBytes) return onRefused(words.fileTooLarge(file.name, bytes(file.size)));
    const text = new TextDecoder().decode(await file.arrayBuffer());
    // What is no text has characters that none has, or bytes that are no UTF-8.
    if (/[\0\uFFFD]/.test(text.slice(0, 10_000))) return onRefused(words.fileNoText(file.name));
    return onText(text);
  };
  const latest = useRef(read);
  latest.current = read;
  useLayoutEffect(() => {
    const drop = (event: DragEvent) => {
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length !== 1 || !isTable(files[0]!)) return; // a model's files, which the page takes
      event.preventDefault();
      void latest.current(files[0]!);
    };
    addEventListener('drop', drop, true);
    return () => removeEventListener('drop', drop, true);
  }, []);
  return (file) => void latest.current(file);
}

interface ChoiceProps {
  label: string;
  accept: string;
  /** Called for each that is chosen. */
  onFile: (file: File) => void;
  several?: boolean;
  /** What the files are of, for who does not see where the button stands. */
  of?: string;
}

export function FileChoice({ label, accept, onFile, several = false, of }: ChoiceProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="plain"
        aria-label={of === undefined ? label : words.ofClass(label, of)}
        onClick={() => input.current?.click()}
      >
        {label}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple={several}
        accept={accept}
        aria-label={label}
        onChange={(event) => {
          for (const file of event.currentTarget.files ?? []) onFile(file);
          event.currentTarget.value = ''; // the same one can be chosen again
        }}
      />
    </>
  );
}
