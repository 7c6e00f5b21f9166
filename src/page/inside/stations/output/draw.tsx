import type { ComponentChildren } from 'preact';
import { Quoting } from '../../draw/figure.tsx';
import { Part } from '../../draw/part.tsx';
import type { Pick } from './stages.ts';
import { words } from './words.ts';

interface DrawProps {
  picked: Pick;
  seed: number;
  text: (id: number) => string;
  /** What the token has to do with what Complete writes; nothing while another place's logits are read. */
  said: string | undefined;
  children: ComponentChildren;
}

/** The random number, and the token that it falls on. */
export function Draw({ picked, seed, text, said, children }: DrawProps) {
  const { id, u, segments } = picked;
  const own = segments.find((segment) => segment.id === id)!;
  const token = text(id);
  return (
    <Part title={words.draw} hooks={[]}>
      <div class="draw" data-part="sampling" data-id={id} data-u={u}>
        {u === undefined ? (
          <p>
            <Quoting text={words.greedy(token)} />
          </p>
        ) : (
          <>
            <p>
              {words.number(seed, u)} <Quoting text={words.rule(token, own.from, own.to)} />
            </p>
            <Line picked={picked} u={u} text={text} />
          </>
        )}
        {said && <p class="summary">{said}</p>}
        {children}
      </div>
    </Part>
  );
}

/** Segments narrower than this share get no name. */
const named = 0.06;

/** The tokens side by side, and the number as a needle. */
function Line({ picked: { id, segments }, u, text }: { picked: Pick; u: number; text: (id: number) => string }) {
  return (
    <div class="number-line" role="img" aria-label={words.line(u, text(id))}>
      <div class="segments">
        {segments.map((segment) => (
          <span
            key={segment.from}
            class="segment"
            data-id={segment.id}
            data-from={segment.from}
            data-to={segment.to}
            data-drawn={segment.id === id}
            style={{ left: `${100 * segment.from}%`, width: `${100 * (segment.to - segment.from)}%` }}
          >
            {segment.id !== undefined && segment.to - segment.from > named && text(segment.id)}
          </span>
        ))}
      </div>
      <span class="needle" data-side={u > 0.5 ? 'left' : 'right'} style={{ left: `${100 * u}%` }}>
        <span>{u.toFixed(4)}</span>
      </span>
      <p class="ends">
        <span>0</span>
        <span>1</span>
      </p>
    </div>
  );
}
