import { percent, shortNumber } from '../../format.ts';
import { lengthOf } from '../../shares.ts';
import { useWidth } from '../draw/width.ts';
import { useShown } from '../frame.ts';
import { words } from './words.ts';

interface StreamProps {
  /** From each piece drawn, what the chosen head takes of it. */
  lines: readonly { key: number; row: number; share: number }[];
  /** [2 nLayer + 1]: of the residual before block 0, then after each block's attention and MLP; undefined until they are read. */
  lengths: readonly number[] | undefined;
  rows: number;
  /** CSS pixels. */
  rowHeight: number;
}

const widest = 26;
const tallest = 64;

/** The residual stream as a band through all blocks, as wide as it is long; into the chosen block run the lines of its head. */
export function Stream({ lines, lengths, rows, rowHeight }: StreamProps) {
  const { frame } = useShown();
  const { width, of } = useWidth();
  const { nLayer } = frame.reading.model.config;
  const [height, bottom] = [Math.max(rows, 4) * rowHeight, Math.max(rows, 4) * rowHeight - rowHeight / 2];
  const block = width * shareOfChosen(nLayer);
  const others = nLayer > 1 ? (width - block) / (nLayer - 1) : 0;
  const start = (i: number) => i * others + (i > frame.layer ? block - others : 0);
  const within = (i: number, share: number) => start(i) + share * (i === frame.layer ? block : others);
  const reads = (i: number) => within(i, 0.42);
  const thinks = (i: number) => within(i, 0.78);
  const most = Math.max(...(lengths ?? [1]));
  const thick = (length: number) => 3 + (widest * length) / most;
  const added = (name: string) => lengthOf(frame.row(`blocks.${frame.layer}.${name}`));
  const [mlp, attention] = [added('hook_mlp_out'), added('hook_attn_out')];
  const top = Math.max(mlp, attention, Number.MIN_VALUE);
  return (
    <div class="stream" ref={of} style={{ height: `${height}px` }}>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label={words.picture(frame.layer, frame.head)}>
          <rect class="chosen-block" x={start(frame.layer)} width={block} y={0} height={height} rx={4} />
          {lengths && <path class="band" d={bandOf(lengths, { width, reads, thinks, thick, bottom })} />}
          {lengths?.map((length, i) => {
            const at = Math.floor((i - 1) / 2);
            const where = i === 0 ? words.entry : i % 2 ? words.afterAttention(at) : words.afterMlp(at);
            const from = i === 0 ? 0 : i % 2 ? reads(at) : thinks(at);
            return (
              <rect
                class="stretch"
                key={i}
                data-norm={length}
                x={from}
                width={Math.max(1, others * 0.3)}
                y={bottom - 16}
                height={32}
              >
                <title>{words.length(where, shortNumber(length))}</title>
              </rect>
            );
          })}
          {lines.map(({ key, row, share }) => (
            <path
              key={key}
              class="look"
              data-key={key}
              data-share={share}
              d={lineOf(
                row === rows - 1 ? bottom : (row + 0.5) * rowHeight,
                [start(frame.layer), reads(frame.layer)],
                bottom,
              )}
              style={{ strokeWidth: `${0.75 + 11 * share}px`, opacity: 0.15 + 0.75 * Math.sqrt(share) }}
            >
              <title>{words.line(frame.text(key), percent(share))}</title>
            </path>
          ))}
          <circle
            class="node"
            cx={reads(frame.layer)}
            cy={bottom}
            r={5 + (6 * attention) / top}
            data-length={attention}
          />
          <rect
            class="mlp"
            data-length={mlp}
            x={thinks(frame.layer) - 14}
            width={28}
            y={bottom - 16 - (tallest * mlp) / top}
            height={(tallest * mlp) / top}
          />
        </svg>
      )}
    </div>
  );
}

/** The chosen block has room for what it does; the others share the rest. */
export function shareOfChosen(nLayer: number): number {
  return nLayer < 3 ? 1 / nLayer : Math.max(0.42, 1 / nLayer);
}

interface Scales {
  width: number;
  reads: (block: number) => number;
  thinks: (block: number) => number;
  thick: (length: number) => number;
  bottom: number;
}

/** The band's outline: it keeps its width from one addition to the next. */
function bandOf(lengths: readonly number[], { width, reads, thinks, thick, bottom }: Scales): string {
  const edges = lengths.flatMap((length, i) => {
    const from = i === 0 ? 0 : i % 2 ? reads((i - 1) / 2) : thinks(i / 2 - 1);
    const to = i === lengths.length - 1 ? width : i % 2 ? thinks((i - 1) / 2) : reads(i / 2);
    return [from + 4, to - 4].map((x) => [Math.min(Math.max(x, 0), width), thick(length) / 2] as const);
  });
  edges[0] = [0, edges[0]![1]];
  edges[edges.length - 1] = [width, edges.at(-1)![1]];
  const upper = edges.map(([x, half]) => `${x.toFixed(1)},${(bottom - half).toFixed(1)}`);
  const lower = edges.toReversed().map(([x, half]) => `${x.toFixed(1)},${(bottom + half).toFixed(1)}`);
  return `M${[...upper, ...lower].join('L')}Z`;
}

/** Straight to the block that reads it, then down to the stream. */
function lineOf(y: number, [from, to]: readonly [number, number], bottom: number): string {
  const middle = ((from + to) / 2).toFixed(1);
  return `M0,${y} L${from.toFixed(1)},${y} C${middle},${y} ${middle},${bottom} ${to.toFixed(1)},${bottom}`;
}
