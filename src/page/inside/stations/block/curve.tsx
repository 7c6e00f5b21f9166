import './curve.css';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { activate } from '../../../../plan/activate.ts';
import type { Activation } from '../../../../plan/plan.ts';
import { shortNumber } from '../../../format.ts';
import { currentTheme } from '../../../theme.ts';
import { useWidth } from '../../draw/width.ts';
import { type Cell, cell } from '../../looking.ts';
import { words } from './words.ts';

interface CurveProps {
  kind: Activation;
  /** [nInner], before and after. */
  x: Float32Array;
  y: Float32Array;
  cellAt: (neuron: number) => Cell;
  stale: boolean;
}

/** What the canvas shows, for tests and tools: `canvas.drawn`. */
export interface DrawnPoints {
  x: Float32Array;
  y: Float32Array;
}

const height = 260;
const margin = { left: 40, right: 10, top: 10, bottom: 26 };

/** The activation function with a point for each neuron; pointing, or the arrow keys, reads one, a click or Enter shows its origin. */
export function Curve({ kind, x, y, cellAt, stale }: CurveProps) {
  const { width, of } = useWidth();
  const [near, setNear] = useState<number | undefined>(undefined);
  const plot = useMemo(() => plotOf(kind, x, y, width), [kind, x, y, width]);
  const pointed = near !== undefined && near < x.length ? near : undefined;
  const active = y.filter((value) => value > 0.1).length;
  const pick = (neuron: number | undefined) => {
    if (neuron !== undefined) cell.value = cellAt(neuron);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (step) setNear(neighbour(x, pointed, step));
    else if (event.key === 'Enter' || event.key === ' ') pick(pointed);
    else return;
    event.preventDefault();
  };
  return (
    <div
      class="plot"
      ref={of}
      role="application"
      aria-roledescription={words.plot}
      tabIndex={0}
      aria-label={words.curveLabel(kind, x.length, active)}
      data-stale={stale}
      style={{ height: `${height}px` }}
      onPointerMove={(event) => setNear(nearest(event, plot, x, y))}
      onPointerLeave={() => setNear(undefined)}
      onBlur={() => setNear(undefined)}
      onKeyDown={onKeyDown}
      onClick={(event) => pick(nearest(event, plot, x, y))}
    >
      {width > 0 && <Axes plot={plot} width={width} />}
      {width > 0 && <Points plot={plot} width={width} x={x} y={y} />}
      {pointed !== undefined && <Pointed plot={plot} neuron={pointed} x={x[pointed]!} y={y[pointed]!} width={width} />}
    </div>
  );
}

interface Plot {
  kind: Activation;
  x: Axis;
  y: Axis;
}

/** From numbers to CSS pixels. */
interface Axis {
  from: number;
  to: number;
  at: (value: number) => number;
}

function plotOf(kind: Activation, x: Float32Array, y: Float32Array, width: number): Plot {
  const within = (values: Float32Array, least: number, most: number) => [
    values.reduce((a, b) => Math.min(a, b), least),
    values.reduce((a, b) => Math.max(a, b), most),
  ];
  const [left = 0, right = 0] = within(x, -3, 3);
  const [bottom = 0, top = 0] = within(y, -0.3, 1);
  return {
    kind,
    x: axis(left - 0.2, right + 0.2, margin.left, width - margin.right),
    y: axis(bottom - 0.1, top + 0.2, height - margin.bottom, margin.top),
  };
}

function axis(from: number, to: number, start: number, end: number): Axis {
  return { from, to, at: (value) => start + ((value - from) / (to - from)) * (end - start) };
}

/** Round numbers, some five of them. */
function ticks({ from, to }: Axis): number[] {
  const rough = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((one) => one >= rough)!;
  const count = Math.floor(to / step) - Math.ceil(from / step) + 1;
  return Array.from({ length: count }, (_, i) => (Math.ceil(from / step) + i) * step);
}

function Axes({ plot: { kind, x, y }, width }: { plot: Plot; width: number }) {
  const samples = Array.from({ length: 241 }, (_, i) => x.from + ((x.to - x.from) * i) / 240);
  const path = samples.map((value) => `${x.at(value).toFixed(1)},${y.at(activate[kind](value)).toFixed(1)}`).join('L');
  return (
    <svg width={width} height={height} aria-hidden="true">
      {ticks(x).map((value) => (
        <g key={value} class={value === 0 ? 'zero' : 'tick'}>
          <line x1={x.at(value)} x2={x.at(value)} y1={margin.top} y2={height - margin.bottom} />
          <text x={x.at(value)} y={height - 8} text-anchor="middle">
            {shortTick(value)}
          </text>
        </g>
      ))}
      {ticks(y).map((value) => (
        <g key={value} class={value === 0 ? 'zero' : 'tick'}>
          <line x1={margin.left} x2={width - margin.right} y1={y.at(value)} y2={y.at(value)} />
          <text x={margin.left - 8} y={y.at(value) + 4} text-anchor="end">
            {shortTick(value)}
          </text>
        </g>
      ))}
      <path class="graph" d={`M${path}`} />
    </svg>
  );
}

const shortTick = (value: number) => String(Number(value.toPrecision(3))).replace('-', '−');

function Points({ plot, width, x, y }: { plot: Plot; width: number; x: Float32Array; y: Float32Array }) {
  const canvas = useRef<HTMLCanvasElement & { drawn?: DrawnPoints }>(null);
  const theme = currentTheme();
  useLayoutEffect(() => {
    const element = canvas.current!;
    const density = devicePixelRatio;
    element.width = Math.round(width * density);
    element.height = Math.round(height * density);
    const context = element.getContext('2d')!;
    context.scale(density, density);
    context.fillStyle = getComputedStyle(element).color;
    context.globalAlpha = x.length > 1000 ? 0.35 : 0.55;
    for (let i = 0; i < x.length; i++) {
      context.beginPath();
      context.arc(plot.x.at(x[i]!), plot.y.at(y[i]!), 2.5, 0, 2 * Math.PI);
      context.fill();
    }
    element.drawn = { x, y };
  }, [plot, width, x, y, theme]);
  return <canvas ref={canvas} />;
}

interface PointedProps {
  plot: Plot;
  neuron: number;
  x: number;
  y: number;
  width: number;
}

function Pointed({ plot, neuron, x, y, width }: PointedProps) {
  const [left, top] = [plot.x.at(x), plot.y.at(y)];
  return (
    <>
      <span class="ring" style={{ left: `${left}px`, top: `${top}px` }} />
      <output
        class="reading"
        data-side={left > width / 2 ? 'left' : 'right'}
        style={{ left: `${left}px`, top: `${top}px` }}
      >
        {`${words.neuronAt(neuron)}  ${shortNumber(x)} → ${shortNumber(y)}`}
      </output>
    </>
  );
}

/** The next neuron along the curve; from none, the most active one. */
function neighbour(x: Float32Array, from: number | undefined, step: number): number {
  const order = [...x.keys()].sort((a, b) => x[a]! - x[b]!);
  const at = from === undefined ? order.length - 1 : order.indexOf(from) + step;
  return order[Math.max(0, Math.min(order.length - 1, at))]!;
}

/** The point within a finger's reach that is nearest. */
function nearest(event: MouseEvent & { currentTarget: HTMLElement }, plot: Plot, x: Float32Array, y: Float32Array) {
  const { left, top } = event.currentTarget.getBoundingClientRect();
  let found: number | undefined;
  let least = 24 ** 2;
  for (let i = 0; i < x.length; i++) {
    const distance = (plot.x.at(x[i]!) - event.clientX + left) ** 2 + (plot.y.at(y[i]!) - event.clientY + top) ** 2;
    if (distance >= least) continue;
    found = i;
    least = distance;
  }
  return found;
}
