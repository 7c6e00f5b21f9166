/** A drawing as MNIST's digits were made: what is drawn 20 pixels long, in the middle of 28 by its mass. */

export interface Grey {
  /** Bytes, row by row; 255 is the pen. */
  data: Uint8Array;
  width: number;
  height: number;
}

/** Whether a model reads digits. */
export const readsDigits = ({ labels }: { labels: readonly string[] }): boolean =>
  labels.length === 10 && labels.every((label, i) => label === String(i));

const side = 28;
const longest = 20;
const faint = 16; // the rim of a soft brush

/** The digit at MNIST's size and place; undefined where nothing is drawn. */
export function centredDigit(drawing: Grey): Grey | undefined {
  const box = boxOf(drawing);
  if (!box) return undefined;
  const scale = longest / Math.max(box.width, box.height);
  const width = Math.max(1, Math.round(box.width * scale));
  const height = Math.max(1, Math.round(box.height * scale));
  const small = shrunk(drawing, box, width, height);
  const [x, y] = massOf(small, width, height);
  const data = new Uint8Array(side * side);
  const left = within(Math.round(side / 2 - x), side - width);
  const top = within(Math.round(side / 2 - y), side - height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      data[(top + row) * side + left + column] = Math.round(small[row * width + column]!);
    }
  }
  return { data, width: side, height: side };
}

const within = (value: number, most: number) => Math.max(0, Math.min(most, value));

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

function boxOf({ data, width, height }: Grey): Box | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let i = 0; i < data.length; i++) {
    if (data[i]! < faint) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** The mean of what each new pixel covers of the box. */
function shrunk({ data, width: stride }: Grey, box: Box, width: number, height: number): Float64Array {
  const out = new Float64Array(width * height);
  const [sx, sy] = [box.width / width, box.height / height];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (const [y, wy] of covered(row * sy, (row + 1) * sy)) {
        for (const [x, wx] of covered(column * sx, (column + 1) * sx)) {
          sum +=
            wx * wy * data[(box.top + Math.min(y, box.height - 1)) * stride + box.left + Math.min(x, box.width - 1)]!;
        }
      }
      out[row * width + column] = sum / (sx * sy);
    }
  }
  return out;
}

/** The whole pixels that a stretch covers, each with how much of it. */
function covered(from: number, to: number): [pixel: number, share: number][] {
  const found: [number, number][] = [];
  for (let pixel = Math.floor(from); pixel < to - 1e-9; pixel++) {
    found.push([pixel, Math.min(pixel + 1, to) - Math.max(pixel, from)]);
  }
  return found;
}

/** Where the mass is, [x, y] in pixels from the corner. */
function massOf(data: Float64Array, width: number, height: number): [number, number] {
  let [mass, x, y] = [0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    mass += data[i]!;
    x += data[i]! * ((i % width) + 0.5);
    y += data[i]! * (Math.floor(i / width) + 0.5);
  }
  return mass > 0 ? [x / mass, y / mass] : [width / 2, height / 2];
}
