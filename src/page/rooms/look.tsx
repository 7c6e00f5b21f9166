import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import type { TracedTensor } from '../../index.ts';
import { Figure, Quoting } from '../inside/draw/figure.tsx';
import { Matrix } from '../inside/draw/matrix.tsx';
import { largest } from '../shares.ts';
import { type Attention, headOf } from './anatomy.ts';
import { type HeadAt, Heads } from './heads.tsx';
import { Lines } from './lines.tsx';
import { Shares } from './shares.tsx';
import { words } from './words/anatomy.ts';

/** A text that is looked at, by the token. */
export interface Read {
  /** What is read, and what reads it: twice the same, where a text reads itself. */
  source: readonly string[];
  target: readonly string[];
  trace: ReadonlyMap<string, TracedTensor>;
}

interface Props {
  attentions: readonly Attention[];
  read: Read;
  /** The token that reads. */
  row: number;
  onRow: (row: number) => void;
  note: string;
  /** Stands over the reading token's shares. */
  heading: ComponentChildren;
}

const mostKeys = 5;

const picture = (data: Float32Array, rows: number, columns: number) => ({ data, rows, columns });

/** What each token takes of the others: as lines, as a matrix, in numbers, for a head that is chosen among all. */
export function Look({ attentions, read, row, onRow, note, heading }: Props) {
  const [chosen, setChosen] = useState<HeadAt | undefined>(undefined);
  useLayoutEffect(() => setChosen(undefined), [attentions]);
  const at = chosen ?? sharpest(attentions, read);
  const { source, target, trace } = read;
  const shares = headOf(trace.get(at.attention.name)!, at.head);
  const own = shares.subarray(row * source.length, (row + 1) * source.length);
  const { layer, name } = at.attention;
  const title = words.lines(layer, at.head);
  return (
    <Figure title={title} note={note} take="attention">
      <div class="cross">
        <div class="beside">
          <Lines label={title} tensor={name} source={source} target={target} shares={shares} row={row} onRow={onRow} />
          <Matrix
            label={words.matrix(layer, at.head)}
            data={shares}
            rows={target.length}
            columns={source.length}
            scale="amount"
            limit={1}
            tensor={name}
            describe={(to, from) => words.looks(target[to]!, source[from]!)}
            onPick={(to) => onRow(to)}
            marked={{ row }}
            cellSize={[22, 22]}
          />
        </div>
        <div class="beside">
          <Heads
            attentions={attentions}
            traced={trace}
            chosen={at}
            onChoose={setChosen}
            picture={picture}
            label={words.heads}
          />
          <div class="cross-row">
            <h5>{typeof heading === 'string' ? <Quoting text={heading} /> : heading}</h5>
            <Shares
              shares={largest(own, mostKeys).map((key) => ({ key, label: source[key]!, share: own[key]! }))}
              label={title}
            />
          </div>
        </div>
      </div>
    </Figure>
  );
}

/** The head whose tokens each look at one place the most: what there is to see, it shows best. */
export function sharpest(attentions: readonly Attention[], { trace, source, target }: Read): HeadAt {
  let best: HeadAt & { mean: number } = { attention: attentions[0]!, head: 0, mean: -1 };
  for (const attention of attentions) {
    for (let head = 0; head < attention.heads; head++) {
      const shares = headOf(trace.get(attention.name)!, head);
      let sum = 0;
      for (let row = 0; row < target.length; row++) {
        // The end of a text is where heads look that have nothing to look for.
        sum += Math.max(0, ...shares.subarray(row * source.length, (row + 1) * source.length - 1));
      }
      if (sum / target.length > best.mean) best = { attention, head, mean: sum / target.length };
    }
  }
  return best;
}
