import { useMemo } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import { percent } from '../format.ts';
import { rowOf, shareOf } from '../shares.ts';
import { attentionsOf } from './anatomy.ts';
import { Fold } from './fold.tsx';
import { Look } from './look.tsx';
import type { PairRun } from './pair-run.ts';
import { words } from './words/pairs.ts';

interface Props {
  model: WorkerEncoderDecoder;
  run: PairRun;
  /** The written token that is looked at. */
  row: number;
  onRow: (row: number) => void;
}

/** What each written token read of the source. */
export function CrossAttention({ model, run, row, onRow }: Props) {
  const attentions = useMemo(() => attentionsOf(model.tensors()).filter(({ crosses }) => crosses), [model]);
  return (
    <Fold title={words.lookTitle} summary={words.lookSummary} open name="cross">
      {() => (
        <Look
          attentions={attentions}
          read={run}
          row={row}
          onRow={onRow}
          note={words.lookNote}
          heading={words.lookedAt(run.target[row]!, percent(probabilityOf(run, row)))}
        />
      )}
    </Fold>
  );
}

/** The model's own probability of a token that it wrote, as it wrote it. */
function probabilityOf({ trace, targetIds }: PairRun, row: number): number {
  return shareOf(rowOf(trace.logits, row), targetIds[row]!);
}
