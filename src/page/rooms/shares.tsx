import type { ComponentChildren } from 'preact';
import { percent } from '../format.ts';

export interface Share {
  /** Tells shares of one label apart. */
  key?: number;
  label: string;
  share: number;
  /** Takes the label up. */
  onPick?: () => void;
}

/** Probabilities, or cosines, as bars with their numbers. */
export function Shares({
  shares,
  label,
  show = percent,
}: {
  shares: readonly Share[];
  label: string;
  show?: (share: number) => ComponentChildren;
}) {
  return (
    <ol class="shares" aria-label={label}>
      {shares.map(({ key, label: name, share, onPick }) => (
        <li key={key ?? name} data-share={share}>
          {onPick ? (
            <button type="button" class="word" onClick={onPick}>
              <bdi>{name}</bdi>
            </button>
          ) : (
            <span class="word">
              <bdi>{name}</bdi>
            </span>
          )}
          <span class="bar-room">
            <span class="amount" style={{ '--share': Math.max(0, share) }} />
          </span>
          <span class="figure-of">{show(share)}</span>
        </li>
      ))}
    </ol>
  );
}
