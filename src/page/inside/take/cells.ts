/**
 * Pixels [rows, columns] of four bytes each as paths of SVG, one for each colour: neighbours of a row that are alike are one stretch. A pixel
 * is a square of 1; what is clear is left out.
 */
export function cellPaths(data: ArrayLike<number>, columns: number): string {
  const paths = new Map<string, string>();
  const colourAt = (cell: number) => {
    const [red, green, blue, alpha] = [0, 1, 2, 3].map((i) => data[4 * cell + i]!);
    if (alpha === 0) return undefined;
    const solid = `#${[red, green, blue].map((one) => one!.toString(16).padStart(2, '0')).join('')}`;
    return alpha === 255 ? solid : `${solid}${alpha!.toString(16).padStart(2, '0')}`;
  };
  for (let cell = 0; cell < data.length / 4; ) {
    const colour = colourAt(cell);
    const end = (Math.floor(cell / columns) + 1) * columns;
    let next = cell + 1;
    while (next < end && colourAt(next) === colour) next++;
    if (colour) {
      const stretch = `M${cell % columns} ${Math.floor(cell / columns)}h${next - cell}v1h${cell - next}z`;
      paths.set(colour, (paths.get(colour) ?? '') + stretch);
    }
    cell = next;
  }
  return [...paths].map(([colour, path]) => `<path fill="${colour}" d="${path}"/>`).join('');
}
