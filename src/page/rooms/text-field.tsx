interface Props {
  id: string;
  label: string;
  /** The label is for screen readers alone. */
  isUnseen?: boolean;
  /** Lines that are seen at once; absent: it has one line. */
  rows?: number;
  value: string;
  onText: (text: string) => void;
  onKeyDown?: (event: KeyboardEvent) => void;
}

/** A field for a text of the visitor's, with its label before it. */
export function TextField({ id, label, isUnseen = false, rows, value, onText, onKeyDown }: Props) {
  const onInput = ({ currentTarget }: { currentTarget: { value: string } }) => onText(currentTarget.value);
  const field = { id, dir: 'auto', spellcheck: false, value, onInput, onKeyDown } as const;
  return (
    <>
      <label class={isUnseen ? 'unseen' : undefined} for={id}>
        {label}
      </label>
      {rows ? <textarea rows={rows} {...field} /> : <input type="text" {...field} />}
    </>
  );
}
