import type { TopToken } from '../../../../index.ts';
import { percent, visible } from '../../../format.ts';
import { words } from './words.ts';

/** Words shown of each block. */
export const saidCount = 4;

interface SaidProps {
  layer: number;
  top: readonly TopToken[] | undefined;
  /** The id the whole model finds likeliest. */
  final: number | undefined;
  stale: boolean;
}

/** The likeliest next tokens if the model stopped after a block, each on a bar as long as its probability. */
export function Said({ layer, top = [], final, stale }: SaidProps) {
  return (
    <ol class="said" aria-label={words.lensOf(layer)} data-layer={layer} data-stale={stale}>
      {top.map(({ id, text, logprob }) => (
        <li key={id} data-id={id} data-probability={Math.exp(logprob)} data-final={id === final}>
          <span class="share" style={{ width: `${100 * Math.exp(logprob)}%` }} />
          <bdi class="word">{visible(text)}</bdi>
          <span class="value">{percent(Math.exp(logprob))}</span>
        </li>
      ))}
    </ol>
  );
}
