import { words } from './words/anatomy.ts';

interface Props {
  label: string;
  tensor: string;
  /** What is read, and what is written. */
  source: readonly string[];
  target: readonly string[];
  /** [target, source] */
  shares: Float32Array;
  /** The token of the target whose lines are strong. */
  row: number;
  onRow: (row: number) => void;
}

/** Shares below it draw no line. */
const least = 0.02;

/** Two texts beside each other, and a line for each share that the one takes of the other. */
export function Lines({ label, tensor, source, target, shares, row, onRow }: Props) {
  const rows = Math.max(source.length, target.length);
  const lines = [...target.keys()].flatMap((to) =>
    [...source.keys()].flatMap((from) => {
      const share = shares[to * source.length + from]!;
      return share >= least ? { to, from, share } : [];
    }),
  );
  // The chosen token's lines lie above the others.
  lines.sort((a, b) => Number(a.to === row) - Number(b.to === row) || a.share - b.share);
  const middle = (at: number, count: number) => ((at + 0.5 + (rows - count) / 2) / rows) * 100;
  const strongest = [...source.keys()].reduce(
    (a, b) => (shares[row * source.length + b]! > shares[row * source.length + a]! ? b : a),
    0,
  );
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const step = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = step === undefined ? undefined : Math.max(0, Math.min(target.length - 1, row + step));
    if (next === undefined) return;
    event.preventDefault();
    onRow(next);
    event.currentTarget.querySelectorAll('button')[next]?.focus();
  };
  return (
    <div class="lines" style={{ '--rows': rows }} role="group" aria-label={label} data-tensor={tensor}>
      <ol class="side" style={{ '--shift': (rows - source.length) / 2 }}>
        {source.map((text, i) => (
          <li key={i} data-strong={i === strongest}>
            <bdi>{text}</bdi>
          </li>
        ))}
      </ol>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
        {lines.map(({ to, from, share }) => (
          <path
            key={`${to} ${from}`}
            d={curve(middle(from, source.length), middle(to, target.length))}
            data-strong={to === row}
            data-share={share}
            style={{ strokeWidth: `${0.5 + 5.5 * share}px`, '--share': share }}
          />
        ))}
      </svg>
      <div
        class="side written"
        role="radiogroup"
        aria-label={words.reads}
        style={{ '--shift': (rows - target.length) / 2 }}
        onKeyDown={onKeyDown}
      >
        {target.map((text, i) => (
          <button
            type="button"
            key={i}
            role="radio"
            aria-checked={i === row}
            aria-label={words.token(i, text)}
            tabIndex={i === row ? 0 : -1}
            onClick={() => onRow(i)}
            onPointerEnter={(event) => event.pointerType === 'mouse' && onRow(i)}
          >
            <bdi>{text}</bdi>
          </button>
        ))}
      </div>
    </div>
  );
}

const curve = (from: number, to: number) => `M0 ${from}C45 ${from} 55 ${to} 100 ${to}`;
