import type { ComponentChildren } from 'preact';
import { strings } from '../strings.ts';
import { Close } from './icons.tsx';

interface NoticeProps {
  text: string;
  kind?: 'failure';
  onDismiss: () => void;
  children?: ComponentChildren;
}

/** What was asked for may have failed below the end of the window. */
const show = (notice: Element | null) => notice?.scrollIntoView({ block: 'nearest' });

/** What the visitor has to know, until it is dismissed. */
export function Notice({ text, kind, onDismiss, children }: NoticeProps) {
  return (
    <div class={`notice ${kind ?? ''}`} ref={kind && show}>
      <p>{text}</p>
      {children}
      <button type="button" class="quiet dismiss" onClick={onDismiss} title={strings.dismiss}>
        <Close />
        <span class="unseen">{strings.dismiss}</span>
      </button>
    </div>
  );
}
