import './part.css';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { shortNumber } from '../../format.ts';
import { magnitudeOf } from '../../shares.ts';
import { currentTheme } from '../../theme.ts';
import { useShown } from '../frame.ts';
import { type Cell, cell } from '../looking.ts';
import { TakePicture } from '../take/picture.tsx';
import { words } from '../words.ts';
import { cssColour, type Scale } from './colours.ts';
import { Quoting } from './figure.tsx';
import { Matrix } from './matrix.tsx';

interface PartProps {
  title: string;
  /** The hook names of what is shown. */
  hooks: readonly string[];
  /** On the residual stream, or beside it. */
  on?: 'stream' | 'branch';
  note?: ComponentChildren;
  /** As of a figure. */
  take?: string;
  children: ComponentChildren;
}

/** One step of the flow, under its title and hook names. */
export function Part({ title, hooks, on = 'branch', note, take, children }: PartProps) {
  return (
    <li class="part" data-on={on}>
      <header>
        <h4>{title}</h4>
        {hooks.map((hook) => (
          <code key={hook}>{hook}</code>
        ))}
      </header>
      {note && <p class="summary">{typeof note === 'string' ? <Quoting text={note} /> : note}</p>}
      {children}
      {take && <TakePicture name={take} of=".part" />}
    </li>
  );
}

interface VectorProps {
  /** Tensor [tokens, n]. */
  name: string;
  label?: string;
  limit?: number;
}

/** A token's row of a tensor as a strip. */
export function Vector({ name, label, limit }: VectorProps) {
  const { frame, stale } = useShown();
  const at = frame.position;
  return (
    <Strip
      label={label}
      name={words.row(name, frame.text())}
      data={frame.row(name)}
      limit={limit}
      tensor={name}
      cellAt={(_, column) => ({ kind: 'tensor', name, index: [at, column] })}
      stale={stale}
    />
  );
}

interface StripProps {
  label?: string | undefined;
  /** What a screen reader calls it. */
  name: string;
  data: Float32Array;
  limit?: number | undefined;
  tensor?: string;
  cellAt: (row: number, column: number) => Cell;
  stale: boolean;
}

/** Numbers side by side as one band, as wide as there is room. */
export function Strip({ label, name, data, limit, tensor, cellAt, stale }: StripProps) {
  const end = useMemo(() => limit ?? magnitudeOf(data), [data, limit]);
  return (
    <div class="band">
      {label && (
        <span class="band-label">
          {label} {limit === undefined && <span>±{shortNumber(end)}</span>}
        </span>
      )}
      <Matrix
        label={name}
        data={data}
        rows={1}
        columns={data.length}
        scale="signed"
        limit={end}
        {...(tensor && { tensor })}
        cellAt={cellAt}
        describe={(_, column) => `[${column}]`}
        stale={stale}
      />
      {!label && <Legend scale="signed" limit={end} />}
    </div>
  );
}

/** Rows of the stream and their sum, one above the other on one scale. */
export function Sum({ parts, sum }: { parts: readonly string[]; sum: string }) {
  const { frame } = useShown();
  const all = [...parts, sum];
  const limit = useMemo(() => magnitudeOf(...all.map((name) => frame.row(name))), [frame, ...all]);
  return (
    <div class="addition">
      {parts.map((name, i) => (
        <Vector key={name} name={name} label={`${i === 0 ? '' : '+ '}${lastPart(name)}`} limit={limit} />
      ))}
      <Vector name={sum} label={`= ${lastPart(sum)}`} limit={limit} />
      <Legend scale="signed" limit={limit} />
    </div>
  );
}

/** `hook_resid_mid` of `blocks.0.hook_resid_mid`. */
const lastPart = (name: string) => name.slice(name.lastIndexOf('.') + 1);

/** A number that shows its origin when it is chosen. */
export function CellLink({ what, to, value }: { what: string; to: Cell; value: number }) {
  return (
    <button
      type="button"
      class="cell-link"
      aria-label={words.origin(what, shortNumber(value))}
      data-cell={`${to.name}[${to.index.join(', ')}]`}
      data-value={value}
      onClick={() => {
        cell.value = to;
      }}
    >
      {shortNumber(value)}
    </button>
  );
}

interface LegendProps {
  scale: Scale;
  limit: number;
  middle?: number;
  /** Some values lie beyond the end. */
  over?: boolean;
}

/** What the colours mean, end to end. */
export function Legend({ scale, limit, middle = 0, over = false }: LegendProps) {
  const theme = currentTheme();
  const least = scale === 'signed' ? -limit : 0;
  const stops = Array.from({ length: 9 }, (_, i) => cssColour(least + ((limit - least) * i) / 8, scale, limit, theme));
  return (
    <p class="legend">
      <span>{shortNumber(middle + least)}</span>
      <span class="ramp" style={{ backgroundImage: `linear-gradient(to right, ${stops.join(', ')})` }} />
      <span>
        {over && '≥ '}
        {shortNumber(middle + limit)}
      </span>
    </p>
  );
}
