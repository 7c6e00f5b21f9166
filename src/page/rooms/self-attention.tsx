import { useMemo } from 'preact/hooks';
import type { TensorSpec } from '../../index.ts';
import { attentionsOf } from './anatomy.ts';
import { Fold } from './fold.tsx';
import { Look, type Read } from './look.tsx';
import { words } from './words/encoder.ts';

interface Props {
  tensors: readonly TensorSpec[];
  read: Read;
  row: number;
  onRow: (row: number) => void;
}

/** What each token of a text takes of the others, before and behind it. */
export function SelfAttention({ tensors, read, row, onRow }: Props) {
  const attentions = useMemo(() => attentionsOf(tensors), [tensors]);
  return (
    <Fold title={words.lookTitle} summary={words.lookSummary} open name="self">
      {() => (
        <Look
          attentions={attentions}
          read={read}
          row={row}
          onRow={onRow}
          note={words.lookNote}
          heading={words.readsFrom(read.target[row]!)}
        />
      )}
    </Fold>
  );
}
