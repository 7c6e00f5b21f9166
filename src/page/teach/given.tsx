import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { isLearning } from './course.ts';
import { FileChoice, useDropped } from './files.tsx';
import { words } from './words.ts';

interface Props {
  /** What begins the ids of the title and of what was found. */
  id: string;
  title: string;
  lead: string;
  sample?: { label: string; text: string } | undefined;
  files: { label: string; accept: string };
  field: string;
  placeholder?: string;
  value: Signal<string>;
  /** What adds to the text by hand. */
  more?: (take: (text: string) => void) => ComponentChildren;
  /** What was found in the text. */
  found: ComponentChildren;
  /** What is done with it. */
  children: ComponentChildren;
}

/** A text to learn from: a sample, a file that is chosen or dropped, or what is typed. */
export function Given({ id, title, lead, sample, files, field, placeholder, value, more, found, children }: Props) {
  const [refused, setRefused] = useState<string | undefined>(undefined);
  const take = (text: string) => {
    setRefused(undefined);
    value.value = text;
  };
  const read = useDropped(take, setRefused);
  const isEmpty = value.value.trim() === '';
  return (
    <section class="examples" aria-labelledby={`${id}-title`}>
      <h3 id={`${id}-title`}>{title}</h3>
      <p class="summary">{lead}</p>
      <div class="actions">
        {sample && (
          <button type="button" class={isEmpty ? 'primary' : 'plain'} onClick={() => take(sample.text)}>
            {sample.label}
          </button>
        )}
        <FileChoice {...files} onFile={read} />
        {!isEmpty && (
          <button type="button" class="quiet" disabled={isLearning.value} onClick={() => take('')}>
            {words.clear}
          </button>
        )}
      </div>
      <textarea
        rows={isEmpty ? 5 : 8}
        dir="auto"
        spellcheck={false}
        aria-label={field}
        aria-describedby={`${id}-found`}
        placeholder={placeholder}
        value={value.value}
        onInput={(event) => take(event.currentTarget.value)}
      />
      {more?.(take)}
      <div id={`${id}-found`} class="found" role="status">
        {refused && <p class="wrong">{refused}</p>}
        {found}
      </div>
      {children}
    </section>
  );
}
