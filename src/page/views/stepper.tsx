import { strings } from '../strings.ts';

interface Props {
  what: string;
  value: number;
  count: number;
  onChange: (value: number) => void;
}

/** One of some things in a row, by number. */
export function Stepper({ what, value, count, onChange }: Props) {
  return (
    <div class="stepper" role="group" aria-label={what}>
      <button
        type="button"
        class="quiet"
        aria-label={strings.previous(what)}
        disabled={value === 0}
        onClick={() => onChange(value - 1)}
      >
        ‹
      </button>
      <output>
        {what} <b>{value}</b> <span class="summary">/ {count - 1}</span>
      </output>
      <button
        type="button"
        class="quiet"
        aria-label={strings.next(what)}
        disabled={value >= count - 1}
        onClick={() => onChange(value + 1)}
      >
        ›
      </button>
    </div>
  );
}
