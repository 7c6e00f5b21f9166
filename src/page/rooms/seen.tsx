import { useLayoutEffect, useRef } from 'preact/hooks';
import type { WorkerVision } from '../../embed/client.ts';
import { words } from './words/vision.ts';

export type Pixels = Awaited<ReturnType<WorkerVision['preprocess']>>;

interface Props {
  /** [channels, height, width], normalised. */
  pixels: Pixels;
  patches: readonly [rows: number, columns: number];
  /** It lies over a picture of the heads, and is no picture of its own. */
  under?: boolean;
}

/** An image as the model reads it, with its patches. */
export function Seen({ pixels, patches: [rows, columns], under = false }: Props) {
  const [channels, height = 1, width = 1] = pixels.shape;
  const style = { '--rows': rows, '--columns': columns, aspectRatio: `${width} / ${height}` };
  return (
    <div
      class="seen"
      data-under={under}
      data-channels={channels}
      style={style}
      {...(!under && { role: 'img', 'aria-label': words.sees })}
    >
      <PixelCanvas of={pixels} />
    </div>
  );
}

interface CanvasProps {
  of: Pixels;
  class?: string;
  role?: 'img';
  'aria-label'?: string;
}

/** An image as the model reads it, a pixel a pixel. */
export function PixelCanvas({ of: { pixels, shape }, ...props }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [channels = 1, height = 1, width = 1] = shape;
  useLayoutEffect(() => {
    const element = canvas.current!;
    [element.width, element.height] = [width, height];
    element.getContext('2d')!.putImageData(imageOf(pixels, channels, height, width), 0, 0);
  }, [pixels]);
  return <canvas ref={canvas} {...props} />;
}

/** From the darkest to the brightest of its values. */
function imageOf(values: Float32Array, channels: number, height: number, width: number): ImageData {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [least, most] = [Math.min(least, value), Math.max(most, value)];
  const image = new ImageData(width, height);
  const size = width * height;
  const byte = (value: number) => (most > least ? (255 * (value - least)) / (most - least) : 0);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = byte(values[Math.min(c, channels - 1) * size + i]!);
    image.data[4 * i + 3] = 255;
  }
  return image;
}
