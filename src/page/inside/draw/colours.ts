/**
 * Two scales of colour, told apart by lightness alone so that every eye reads them: `amount` from paper to the glass's
 * green for numbers from 0 up, `signed` from blue through paper to orange (ColorBrewer's safe pair) for numbers about 0.
 */
export type Scale = 'amount' | 'signed';

type Rgb = readonly [number, number, number];

const stops: Record<'light' | 'dark', Record<Scale, readonly Rgb[]>> = {
  light: {
    amount: [
      [238, 242, 240],
      [150, 199, 189],
      [0, 119, 102],
      [0, 48, 44],
    ],
    signed: [
      [5, 62, 120],
      [88, 148, 201],
      [244, 246, 245],
      [226, 142, 74],
      [136, 58, 4],
    ],
  },
  dark: {
    amount: [
      [20, 29, 27],
      [24, 82, 73],
      [45, 151, 133],
      [208, 246, 237],
    ],
    signed: [
      [150, 205, 255],
      [40, 103, 163],
      [22, 30, 28],
      [171, 91, 31],
      [255, 190, 138],
    ],
  },
};

const steps = 256;
const tables = new Map<string, Uint32Array>();

/** 256 colours as canvas pixels (ABGR words), the scale's lower end first. */
export function colours(scale: Scale, theme: 'light' | 'dark'): Uint32Array {
  const key = `${scale} ${theme}`;
  let table = tables.get(key);
  if (!table) {
    table = Uint32Array.from({ length: steps }, (_, i) => pixel(mix(stops[theme][scale], i / (steps - 1))));
    tables.set(key, table);
  }
  return table;
}

/** For CSS: a value on its scale; `limit` is the value of the scale's end. */
export function cssColour(value: number, scale: Scale, limit: number, theme: 'light' | 'dark'): string {
  const word = colours(scale, theme)[stepOf(value, scale, limit)]!;
  return `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;
}

/** Canvas pixels of up to millions of values, less `middle`; of what is not finite, nothing. Colours are those of `stepOf`. */
export function pixelsOf(
  values: Float32Array,
  { scale, limit, middle = 0 }: { scale: Scale; limit: number; middle?: number },
  theme: 'light' | 'dark',
): Uint32Array<ArrayBuffer> {
  const table = colours(scale, theme);
  const pixels = new Uint32Array(values.length);
  const { slope, start } = lineOf(scale, limit);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value - value !== 0) continue; // quicker than Number.isFinite
    const step = Math.floor((value - middle) * slope + start);
    pixels[i] = table[step < 0 ? 0 : step < steps ? step : steps - 1]!;
  }
  return pixels;
}

/** Where a value falls among the 256 colours. */
export function stepOf(value: number, scale: Scale, limit: number): number {
  const { slope, start } = lineOf(scale, limit);
  return Math.max(0, Math.min(steps - 1, Math.floor(value * slope + start)));
}

/** A value's place among the colours is value * slope + start, rounded down. */
function lineOf(scale: Scale, limit: number): { slope: number; start: number } {
  const length = scale === 'amount' ? steps - 1 : (steps - 1) / 2;
  return { slope: limit > 0 ? length / limit : 0, start: (scale === 'amount' ? 0 : length) + 0.5 };
}

function mix(colours: readonly Rgb[], at: number): Rgb {
  const place = at * (colours.length - 1);
  const from = Math.min(Math.floor(place), colours.length - 2);
  const [a, b] = [colours[from]!, colours[from + 1]!];
  return [0, 1, 2].map((i) => Math.round(a[i]! + (b[i]! - a[i]!) * (place - from))) as unknown as Rgb;
}

const pixel = ([r, g, b]: Rgb) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
