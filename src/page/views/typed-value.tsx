import { useLayoutEffect, useRef } from 'preact/hooks';

interface Props {
  id?: string;
  label?: string;
  text: string;
  /** The value of what was typed; undefined refuses it. */
  read: (text: string) => number | undefined;
  onChange: (value: number) => void;
  digits: number;
}

/** A number that looks like text until it is touched. Enter or leaving takes what was typed; nonsense is put back. */
export function TypedValue({ id, label, text, read, onChange, digits }: Props) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (input.current) input.current.value = text;
  }, [text]);
  const take = () => {
    const value = read(input.current!.value);
    if (value !== undefined) onChange(value);
    input.current!.value = text; // the new text, if it changed, comes with the next render
  };
  return (
    <input
      ref={input}
      id={id}
      class="typed"
      type="text"
      inputMode="decimal"
      autocomplete="off"
      size={digits}
      aria-label={label}
      defaultValue={text}
      onFocus={(event) => event.currentTarget.select()}
      onChange={take}
      onKeyDown={(event) => {
        if (event.key === 'Enter') take(); // with Control it completes, too: with what was typed
      }}
    />
  );
}
