import { type Dial, fitted, ranges, shown } from '../settings.ts';
import { strings } from '../strings.ts';
import { TypedValue } from './typed-value.tsx';

interface Props {
  /** The dial's name by default. */
  id?: string;
  dial: Dial;
  value: number;
  /** Shown as having no effect now. */
  idle: boolean;
  onChange: (value: number) => void;
  onTouch: () => void;
}

/** A name, a value that can be typed, and a slider. */
export function DialRow({ dial, id = dial, value, idle, onChange, onTouch }: Props) {
  const { min, max, step, off } = ranges[dial];
  const [name, meaning] = strings.dials[dial];
  const text = worded(dial, value);
  const read = (typed: string) => (typed.trim() === strings.off ? off : fitted(dial, Number.parseFloat(typed)));
  return (
    <div class="dial" data-idle={idle} data-off={value === off} onPointerEnter={onTouch} onFocusCapture={onTouch}>
      <label for={id}>{name}</label>
      <TypedValue label={strings.typed(name)} text={text} read={read} onChange={onChange} digits={6} />
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={text}
        aria-description={meaning}
        style={{ '--at': value === off ? 0 : (Math.min(value, max) - min) / (max - min) }}
        onInput={(event) => onChange(fitted(dial, event.currentTarget.valueAsNumber) ?? value)}
      />
    </div>
  );
}

function worded(dial: Dial, value: number): string {
  if (value === ranges[dial].off) return strings.off;
  return dial === 'temperature' && value === 0 ? strings.greedy : shown(dial, value);
}
