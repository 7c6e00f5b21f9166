import { PixelCanvas, type Pixels } from '../rooms/seen.tsx';

/** A picture in small, as the model reads it. */
export const Miniature = ({ pixels, label }: { pixels: Pixels; label: string }) => (
  <PixelCanvas of={pixels} class="miniature" role="img" aria-label={label} />
);
