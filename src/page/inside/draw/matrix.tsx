import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { shortNumber } from '../../format.ts';
import { currentTheme } from '../../theme.ts';
import { type Cell, cell, sameCell } from '../looking.ts';
import { words } from '../words.ts';
import { cssColour, pixelsOf, type Scale } from './colours.ts';
import { Quoting } from './figure.tsx';

export interface MatrixProps {
  /** What a screen reader calls the picture. */
  label: string;
  /** [rows, columns]; -Infinity and NaN are drawn as nothing. */
  data: Float32Array;
  rows: number;
  columns: number;
  scale: Scale;
  /** The value of the scale's end; by default the largest magnitude. */
  limit?: number;
  /** What the scale counts from, 0 by default; `limit` is then the distance from it. */
  middle?: number;
  /** The hook or weight name of what is drawn, for links and tests. */
  tensor?: string;
  /** The number of the model that a picture's cell is; choosing the cell shows its origin. */
  cellAt?: (row: number, column: number) => Cell;
  /** Where a number stands in the picture; where absent, its indices are tried. */
  placeOf?: (cell: Cell) => Place | undefined;
  /** What stands before the value when a cell is pointed at. */
  describe?: (row: number, column: number) => string;
  /** Instead of showing the origin. */
  onPick?: (row: number, column: number) => void;
  /** Row or column to be outlined. */
  marked?: { row?: number; column?: number };
  /** CSS pixels of a cell at most; pictures shrink to the room they have. */
  cellSize?: readonly [width: number, height: number];
  stale?: boolean;
}

/** What a canvas shows, for tests and tools: `canvas.drawn`. */
export interface Drawn {
  data: Float32Array;
  rows: number;
  columns: number;
  scale: Scale;
  limit: number;
  /** Absent: 0. */
  middle?: number;
}

export type DrawnCanvas = HTMLCanvasElement & { drawn?: Drawn };

interface Place {
  row: number;
  column: number;
}

/** A matrix as a picture, a pixel a number; pointing, or the arrow keys, reads the numbers, a click or Enter picks one. */
export function Matrix(props: MatrixProps) {
  const { label, rows, columns, tensor, cellAt, describe, onPick, marked, stale = false, cellSize = [12, 12] } = props;
  const canvas = useRef<DrawnCanvas>(null);
  const [place, setPlace] = useState<Place | undefined>(undefined);
  const { end, isFine } = useDrawing(canvas, props);
  const at = place && { row: Math.min(place.row, rows - 1), column: Math.min(place.column, columns - 1) };
  const picks = Boolean(cellAt || onPick);
  const pick = ({ row, column }: Place) => {
    if (onPick) onPick(row, column);
    else if (cellAt) cell.value = cellAt(row, column);
  };
  const chosen = cell.value && cellAt ? findPlace(cell.value, props) : undefined;
  const onKeyDown = (event: KeyboardEvent) => {
    const step = arrows[event.key];
    if (step) {
      event.preventDefault();
      const { row, column } = at ?? { row: marked?.row ?? 0, column: marked?.column ?? 0 };
      setPlace(at ? clamped(row + step[0], column + step[1], rows, columns) : { row, column });
    } else if ((event.key === 'Enter' || event.key === ' ') && at && picks) {
      event.preventDefault();
      pick(at);
    }
  };
  return (
    <div
      class="matrix"
      role="application"
      aria-roledescription={words.matrix}
      aria-label={label}
      tabIndex={0}
      data-stale={stale}
      data-picks={picks}
      style={{
        width: `min(100%, ${columns * cellSize[0]}px)`,
        aspectRatio: `${columns * cellSize[0]} / ${rows * cellSize[1]}`,
      }}
      onKeyDown={onKeyDown}
      onPointerMove={(event) => setPlace(placeAt(event, rows, columns))}
      onPointerLeave={() => setPlace(undefined)}
      onBlur={() => setPlace(undefined)}
      onClick={(event) => picks && pick(placeAt(event, rows, columns))}
    >
      <canvas ref={canvas} data-tensor={tensor} />
      {marked && <span class="mark" style={box(marked, rows, columns)} />}
      {chosen && <span class="mark chosen" style={box(chosen, rows, columns)} />}
      {at && <span class="mark pointed" style={box(at, rows, columns)} />}
      {at && isFine && <Loupe at={at} end={end} {...props} />}
      <output
        class="readout"
        data-side={at && at.column > columns / 2 ? 'left' : 'right'}
        style={at && corner(at, rows, columns)}
      >
        {at && describe && <Quoting text={`${describe(at.row, at.column)} `} />}
        {at && shortNumber(props.data[at.row * columns + at.column]!)}
      </output>
    </div>
  );
}

/** Columns narrower than this are read through a loupe, in CSS pixels. */
const fineCell = 6;
/** Numbers on either side of the one pointed at. */
const loupeReach = 4;

/** The numbers about a place, each wide enough to be told from the next. */
function Loupe({ at, end, data, columns, scale, middle = 0 }: MatrixProps & { at: Place; end: number }) {
  const first = Math.max(0, Math.min(at.column - loupeReach, columns - 2 * loupeReach - 1));
  const shown = data.subarray(
    at.row * columns + first,
    at.row * columns + Math.min(columns, first + 2 * loupeReach + 1),
  );
  const theme = currentTheme();
  return (
    <span
      class="loupe"
      aria-hidden="true"
      data-side={at.column > columns / 2 ? 'left' : 'right'}
      style={corner(at, 1, columns)}
    >
      {[...shown].map((value, i) => (
        <span
          key={i}
          data-pointed-at={first + i === at.column}
          style={Number.isFinite(value) ? { background: cssColour(value - middle, scale, end, theme) } : {}}
        />
      ))}
    </span>
  );
}

const arrows: Record<string, readonly [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

function useDrawing(
  canvas: { current: DrawnCanvas | null },
  { data, rows, columns, scale, limit, middle = 0 }: MatrixProps,
): { end: number; isFine: boolean } {
  const theme = currentTheme();
  const [isFine, setFine] = useState(false);
  const end = useMemo(() => limit ?? largest(data), [data, limit]);
  useLayoutEffect(() => {
    const element = canvas.current!;
    element.width = columns;
    element.height = rows;
    const pixels = pixelsOf(data.subarray(0, rows * columns), { scale, limit: end, middle }, theme);
    const image = new ImageData(new Uint8ClampedArray(pixels.buffer), columns, rows);
    element.getContext('2d')!.putImageData(image, 0, 0);
    element.drawn = { data, rows, columns, scale, limit: end, middle };
  }, [data, rows, columns, scale, end, middle, theme]);
  useEffect(() => {
    const element = canvas.current!;
    // Enlarged, a cell is a square of one colour; shrunk, neighbours are averaged rather than dropped.
    const observer = new ResizeObserver(() => {
      setFine(element.clientWidth / columns < fineCell);
      element.dataset.shrunk = String(element.clientWidth < columns || element.clientHeight < rows);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [columns, rows]);
  return { end, isFine };
}

function largest(data: Float32Array): number {
  let most = 0;
  for (let i = 0; i < data.length; i++) {
    const size = Math.abs(data[i]!);
    if (size > most && size < Number.POSITIVE_INFINITY) most = size;
  }
  return most;
}

function placeAt(event: MouseEvent & { currentTarget: HTMLElement }, rows: number, columns: number): Place {
  const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
  const row = Math.floor(((event.clientY - top) / height) * rows);
  const column = Math.floor(((event.clientX - left) / width) * columns);
  return clamped(row, column, rows, columns);
}

function clamped(row: number, column: number, rows: number, columns: number): Place {
  const within = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
  return { row: within(row, rows), column: within(column, columns) };
}

/** Where the chosen cell is in this picture, if it is. The middle is tried with care: pictures hold up to a million cells. */
function findPlace(chosen: Cell, { cellAt, placeOf, rows, columns }: MatrixProps): Place | undefined {
  if (placeOf) return placeOf(chosen);
  if (cellAt!(0, 0).name !== chosen.name || cellAt!(0, 0).kind !== chosen.kind) return undefined;
  const candidates = chosen.index.flatMap((row) => chosen.index.map((column) => ({ row, column })));
  for (const { row, column } of [...candidates, ...chosen.index.map((column) => ({ row: 0, column }))]) {
    if (row < rows && column < columns && sameCell(cellAt!(row, column), chosen)) return { row, column };
  }
  return undefined;
}

function corner(place: Place, rows: number, columns: number) {
  const { left, top } = box(place, rows, columns);
  return { left, top };
}

function box({ row, column }: { row?: number; column?: number }, rows: number, columns: number) {
  const share = (count: number, of: number) => `${(100 * count) / of}%`;
  return {
    left: column === undefined ? '0' : share(column, columns),
    width: column === undefined ? '100%' : share(1, columns),
    top: row === undefined ? '0' : share(row, rows),
    height: row === undefined ? '100%' : share(1, rows),
  };
}
