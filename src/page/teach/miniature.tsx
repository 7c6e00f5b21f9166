import { useLayoutEffect, useRef } from 'preact/hooks';
import { imageOf, type Pixels } from '../rooms/seen.tsx';

/** A picture in small, as the model reads it. */
export function Miniature({ pixels: { pixels, shape }, label }: { pixels: Pixels; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [channels = 1, height = 1, width = 1] = shape;
  useLayoutEffect(() => {
    const element = canvas.current!;
    [element.width, element.height] = [width, height];
    element.getContext('2d')!.putImageData(imageOf(pixels, channels, height, width), 0, 0);
  }, [pixels]);
  return <canvas ref={canvas} class="miniature" role="img" aria-label={label} />;
}
