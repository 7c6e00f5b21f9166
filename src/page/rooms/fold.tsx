import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';

interface Props {
  title: string;
  summary: string;
  open?: boolean;
  name?: string;
  children: () => ComponentChildren;
}

/** A part of a room, folded to its heading until it is opened; what is folded is not drawn, nor computed. */
export function Fold({ title, summary, open = false, name, children }: Props) {
  const [isOpen, setOpen] = useState(open);
  const id = useId();
  return (
    <section class="station" data-open={isOpen} data-name={name} aria-labelledby={`${id}-title`}>
      <h3>
        <button type="button" aria-expanded={isOpen} aria-controls={`${id}-body`} onClick={() => setOpen(!isOpen)}>
          <span id={`${id}-title`}>{title}</span>
          <span class="summary">{summary}</span>
        </button>
      </h3>
      <div id={`${id}-body`} class="body" hidden={!isOpen}>
        {isOpen && children()}
      </div>
    </section>
  );
}
