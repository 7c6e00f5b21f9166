import { useLayoutEffect, useRef } from 'preact/hooks';
import type { TracedTensor } from '../../../../index.ts';
import { percent, visible } from '../../../format.ts';
import { largest } from '../../../shares.ts';
import { currentTheme } from '../../../theme.ts';
import { colours, stepOf } from '../../draw/colours.ts';
import type { DrawnCanvas } from '../../draw/matrix.tsx';
import { layer as chosenLayer, head, lookAt, open, position } from '../../looking.ts';
import { words } from './words.ts';

interface HeadMapsProps {
  layer: number;
  /** [nLayer, nHead, cells, cells] */
  patterns: TracedTensor;
  pool: number;
  texts: readonly string[];
}

/** The heads of a block as small maps; choosing one opens it in its block. */
export function HeadMaps({ layer, patterns, pool, texts }: HeadMapsProps) {
  const { data, shape } = patterns;
  const [, nHead = 0, cells = 0] = shape;
  const list = useRef<HTMLDivElement>(null);
  const isChosen = (h: number) => layer === chosenLayer.value && h === head.value;
  const choose = (h: number) => {
    lookAt({ layer, head: h });
    open('block');
  };
  const onKeyDown = (event: KeyboardEvent) => moveFocus(event, list.current!);
  return (
    <div
      class="heads"
      role="group"
      aria-label={words.headsOf(layer)}
      data-tensor={`blocks.${layer}.attn.hook_pattern`}
      ref={list}
      onKeyDown={onKeyDown}
    >
      {Array.from({ length: nHead }, (_, h) => (
        <button
          type="button"
          key={h}
          aria-pressed={isChosen(h)}
          aria-label={nameOf(layer, h, patterns, pool, texts)}
          title={words.head(layer, h)}
          tabIndex={h === (layer === chosenLayer.value ? head.value : 0) ? 0 : -1}
          onClick={() => choose(h)}
        >
          <HeadMap all={data} at={layer * nHead + h} cells={cells} />
        </button>
      ))}
    </div>
  );
}

/** What a screen reader hears: the head, and what the chosen token looks at most. */
function nameOf(
  layer: number,
  h: number,
  { data, shape }: TracedTensor,
  pool: number,
  texts: readonly string[],
): string {
  const name = words.head(layer, h);
  if (pool > 1) return name;
  const [, nHead = 0, cells = 0] = shape;
  const at = Math.min(position.value, cells - 1);
  const row = data.subarray(((layer * nHead + h) * cells + at) * cells).subarray(0, at + 1);
  const [most = 0] = largest(row, 1);
  const [from, to] = [visible(texts[at] ?? ''), visible(texts[most] ?? '')];
  return `${name}: ${words.looks(from)} ${to} ${percent(row[most]!)}`;
}

const steps: Record<string, readonly [row: number, column: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Arrow keys go from head to head, and up and down from block to block. */
function moveFocus(event: KeyboardEvent, list: HTMLElement): void {
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = [...list.closest('.glance')!.querySelectorAll('.heads[role="group"]')];
  const column = [...list.children].indexOf(document.activeElement!);
  const row = rows[rows.indexOf(list) + step[0]] ?? list;
  (row.children[column + step[1]] as HTMLElement | undefined)?.focus();
}

/** Weights are drawn by their square root: most are small, and their differences matter. */
const shade = (weight: number) => stepOf(Math.sqrt(weight), 'amount', 1);

/** One of all patterns, [cells, cells]; keys after the query are left out. */
function HeadMap({ all, at, cells }: { all: Float32Array; at: number; cells: number }) {
  const canvas = useRef<DrawnCanvas>(null);
  const theme = currentTheme();
  useLayoutEffect(() => {
    const data = all.subarray(at * cells * cells, (at + 1) * cells * cells);
    const element = canvas.current!;
    element.width = cells;
    element.height = cells;
    const table = colours('amount', theme);
    const pixels = new Uint32Array(cells * cells);
    for (let row = 0; row < cells; row++) {
      for (let i = row * cells; i <= row * cells + row; i++) pixels[i] = table[shade(data[i]!)]!;
    }
    const image = new ImageData(new Uint8ClampedArray(pixels.buffer), cells, cells);
    element.getContext('2d')!.putImageData(image, 0, 0);
    element.drawn = { data, rows: cells, columns: cells, scale: 'amount', limit: 1 };
  }, [all, at, cells, theme]);
  return <canvas ref={canvas} />;
}

/** The colours of weights from 0 to 1, as the maps have them. */
export function ScaleBar() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = currentTheme();
  useLayoutEffect(() => {
    const width = canvas.current!.width;
    const table = colours('amount', theme);
    const pixels = Uint32Array.from({ length: width }, (_, x) => table[shade(x / (width - 1))]!);
    canvas.current!.getContext('2d')!.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, 1), 0, 0);
  }, [theme]);
  return (
    <span class="scale">
      0 <canvas ref={canvas} width={128} height={1} /> 1
    </span>
  );
}
