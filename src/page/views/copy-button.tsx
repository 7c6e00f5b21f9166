import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

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
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    setCopied(true);
    setTimeout(() => setCopied(false), doneMs);
  };
  return (
    <button type="button" class="quiet copy" onClick={copy} title={title} disabled={disabled}>
      {children}
      <span aria-live="polite" data-copied={copied}>
        {copied ? done : label}
      </span>
    </button>
  );
}
