import './map.css';
import { Matrix, type MatrixProps } from './matrix.tsx';

interface Props extends MatrixProps {
  rowNames: readonly string[];
  columnNames: readonly string[];
  /** What rows and columns are. */
  axes: readonly [rows: string, columns: string];
  /** Columns whose names stand out. */
  strong?: (column: number) => boolean;
}

/** Names that still fit beside their rows, and below their columns. */
const [mostRows, mostColumns] = [32, 24];

/** A matrix with its rows and columns named, as far as they have room. */
export function NamedMap({ rowNames, columnNames, axes, strong, ...matrix }: Props) {
  const every = Math.ceil(rowNames.length / mostRows);
  const [width = 12] = matrix.cellSize ?? [];
  return (
    <div class="named-map" style={{ '--columns': columnNames.length, '--cell': `${width}px` }}>
      <span class="axis">{axes[0]}</span>
      <div class="map-rows" aria-hidden="true">
        {rowNames.map((name, i) => (
          <span key={i}>{i % every === 0 && name}</span>
        ))}
      </div>
      <Matrix {...matrix} />
      {columnNames.length <= mostColumns && (
        <div class="map-columns" aria-hidden="true">
          {columnNames.map((name, i) => (
            <bdi key={i} data-strong={strong?.(i)}>
              {name}
            </bdi>
          ))}
        </div>
      )}
      <span class="axis columns">{axes[1]}</span>
    </div>
  );
}
