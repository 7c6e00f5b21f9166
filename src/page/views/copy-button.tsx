import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { strings } from '../strings.ts';

interface Props {
  text: () => string;
  label: string;
  /** Shown for a while once it is copied. */
  done: string;
  title: string;
  disabled?: boolean;
  children?: ComponentChildren;
}

const doneMs = 1600;

export function CopyButton({ text, label, done, title, disabled, children }: Props) {
  const [said, setSaid] = useState<string | undefined>(undefined);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setSaid(done);
    } catch {
      setSaid(strings.notCopied); // it was refused, or the page came over plain http and has no clipboard
    }
    setTimeout(() => setSaid(undefined), doneMs);
  };
  return (
    <button type="button" class="quiet copy" onClick={copy} title={title} disabled={disabled}>
      {children}
      <span aria-live="polite" data-copied={said === done}>
        {said ?? label}
      </span>
    </button>
  );
}
