import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Grey } from './digit-image.ts';
import { words } from './words/vision.ts';

/** Pixels of the drawing's side; a brush is as wide, relative to the whole, as the pens of MNIST. */
const side = 280;
const brush = 22;
/** Steps of the keyboard's pen from side to side. */
const grid = 28;

type Point = readonly [x: number, y: number];

interface Props {
  /** A picture that lies under the strokes. */
  base: Grey | undefined;
  /** What is drawn, whenever it changes; `isOwn`: the visitor drew in it. */
  onDraw: (drawing: Grey, isOwn: boolean) => void;
  onClear: () => void;
}

/** A field to draw in with mouse, finger, pen or keys. */
export function Pad({ base, onDraw, onClear }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const keys = useId();
  const [strokes, setStrokes] = useState<readonly (readonly Point[])[]>([]);
  const drawing = useRef(false);
  const [pen, setPen] = useState<{ at: Point; down: boolean } | undefined>(undefined);

  useLayoutEffect(() => setStrokes([]), [base]);
  useLayoutEffect(() => {
    const context = canvas.current!.getContext('2d', { willReadFrequently: true })!;
    paint(context, base, strokes);
    const { data } = context.getImageData(0, 0, side, side);
    onDraw(
      { data: Uint8Array.from({ length: side * side }, (_, i) => data[4 * i]!), width: side, height: side },
      strokes.length > 0,
    );
  }, [base, strokes]);

  const begin = (at: Point) => setStrokes((all) => [...all, [at]]);
  const goOn = (points: readonly Point[]) =>
    setStrokes((all) => [...all.slice(0, -1), [...(all.at(-1) ?? []), ...points]]);
  const placeOf = ({ clientX, clientY }: MouseEvent): Point => {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    return [((clientX - left) / width) * side, ((clientY - top) / height) * side];
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const { at, down } = pen ?? { at: [side / 2, side / 4] as Point, down: false };
    if (step) {
      const next = [0, 1].map((i) =>
        Math.max(0, Math.min(side, at[i]! + (step[i]! * side) / grid)),
      ) as unknown as Point;
      if (down) goOn([next]);
      setPen({ at: next, down });
    } else if (event.key === ' ' || event.key === 'Enter') {
      if (!down) begin(at);
      setPen({ at, down: !down });
    } else if (event.key === 'Backspace' || event.key === 'Delete') clear();
    else return;
    event.preventDefault();
  };
  const clear = () => {
    setStrokes([]);
    setPen(undefined);
    onClear();
  };

  return (
    <div class="pad">
      <div
        class="field"
        role="application"
        tabIndex={0}
        aria-label={words.pad}
        aria-describedby={keys}
        onKeyDown={onKeyDown}
        onFocus={(event) =>
          event.currentTarget.matches(':focus-visible') && setPen({ at: [side / 2, side / 4], down: false })
        }
        onBlur={() => setPen(undefined)}
      >
        <canvas
          ref={canvas}
          width={side}
          height={side}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            drawing.current = true;
            begin(placeOf(event));
          }}
          onPointerMove={(event) => {
            if (!drawing.current) return;
            const all = event.getCoalescedEvents?.() ?? [];
            goOn((all.length > 0 ? all : [event]).map(placeOf));
          }}
          onPointerUp={() => (drawing.current = false)}
          onPointerCancel={() => (drawing.current = false)}
        />
        {pen && (
          <span
            class="pen"
            data-down={pen.down}
            style={{ left: `${(100 * pen.at[0]) / side}%`, top: `${(100 * pen.at[1]) / side}%` }}
          />
        )}
        {strokes.length === 0 && !base && <span class="invitation">{words.drawHere}</span>}
      </div>
      <p class="actions">
        <button type="button" class="plain" disabled={strokes.length === 0 && !base} onClick={clear}>
          {words.clear}
        </button>
        <button
          type="button"
          class="quiet"
          disabled={strokes.length === 0}
          onClick={() => setStrokes((all) => all.slice(0, -1))}
        >
          {words.undoStroke}
        </button>
      </p>
      <p id={keys} class="summary with-keys">
        {words.padKeys}
      </p>
    </div>
  );
}

function paint(
  context: CanvasRenderingContext2D,
  base: Grey | undefined,
  strokes: readonly (readonly Point[])[],
): void {
  context.fillStyle = '#000';
  context.fillRect(0, 0, side, side);
  if (base) drawGrey(context, base);
  context.strokeStyle = '#fff';
  context.lineWidth = brush;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  for (const [first, ...points] of strokes) {
    context.beginPath();
    context.moveTo(...first!);
    for (const point of points.length > 0 ? points : [first!]) context.lineTo(...point);
    context.stroke();
  }
}

/** Bytes of a grey picture over the whole of a canvas. */
export function drawGrey(context: CanvasRenderingContext2D, { data, width, height }: Grey): void {
  const image = new ImageData(width, height);
  for (const [i, value] of data.entries()) image.data.set([value, value, value, 255], 4 * i);
  const small = new OffscreenCanvas(width, height);
  small.getContext('2d')!.putImageData(image, 0, 0);
  context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
}
