import type { Signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { explain } from '../failure.ts';
import { failure, opened, retry } from '../models.ts';
import { embedded } from '../sources.ts';
import { Later } from './later.tsx';

interface Props {
  open: Signal<boolean>;
  /** What a press does while it is closed. */
  onOpen: () => void;
  label: string;
  load: () => Promise<ComponentType<object>>;
}

/** The way into what is fetched when it is first opened, which stands below. */
export function Slot({ open, onOpen, label, load }: Props) {
  const onFailure = (error: unknown) => {
    open.value = false;
    failure.value = explain(error, opened.value?.ref ?? embedded, 'load');
    retry.value = () => {
      open.value = true;
    };
  };
  return (
    <div class="inside-slot">
      <button
        type="button"
        class="plain"
        aria-expanded={open.value}
        onClick={() => (open.value ? (open.value = false) : onOpen())}
      >
        {label}
      </button>
      {open.value && <Later load={load} with={{}} onFailure={onFailure} />}
    </div>
  );
}
