import { useLayoutEffect, useRef } from 'preact/hooks';
import { pixelsOf } from '../inside/draw/colours.ts';
import type { DrawnCanvas } from '../inside/draw/matrix.tsx';
import { currentTheme } from '../theme.ts';

interface Props {
  /** [rows, columns], from 0 up. */
  data: Float32Array;
  rows: number;
  columns: number;
  /** The value of the scale's end. */
  limit: number;
  tensor: string;
}

/** Shares as a small picture, a pixel a number; `canvas.drawn` holds what it shows. */
export function Thumb({ data, rows, columns, limit, tensor }: Props) {
  const canvas = useRef<DrawnCanvas>(null);
  const theme = currentTheme();
  useLayoutEffect(() => {
    const element = canvas.current!;
    element.width = columns;
    element.height = rows;
    const pixels = pixelsOf(data, { scale: 'amount', limit }, theme);
    element.getContext('2d')!.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), columns, rows), 0, 0);
    element.drawn = { data, rows, columns, scale: 'amount', limit };
  }, [data, rows, columns, limit, theme]);
  return <canvas ref={canvas} class="thumb" data-tensor={tensor} />;
}
