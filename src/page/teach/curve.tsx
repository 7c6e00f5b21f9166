import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Figure } from '../inside/draw/figure.tsx';
import { useWidth } from '../inside/draw/width.ts';
import type { Course } from './course.ts';
import { words } from './words.ts';

const height = 220;
const margin = { left: 38, right: 12, top: 12, bottom: 26 };

/** What the curve shows, for tests and tools: `element.drawn`. */
export interface DrawnCurve {
  losses: number[];
  judged: { step: number; loss: number }[];
}

interface Points {
  losses: readonly number[];
  judged: readonly { step: number; loss: number }[];
  /** Steps that there will be. */
  total: number;
  /** The loss of who guesses. */
  guess: number | undefined;
}

/** The loss of each step and of what is judged; pointing, or the arrow keys, reads a step. `guess`: the loss of who guesses. */
export function Curve({ run, note, guess }: { run: Course; note: string; guess?: number }) {
  const { width, of } = useWidth();
  const [near, setNear] = useState<number | undefined>(undefined);
  const losses = run.steps.map(({ loss }) => loss);
  const judged = run.steps.flatMap(({ step, evaluation }) => (evaluation ? [{ step, loss: evaluation.loss }] : []));
  const { steps: total } = run.steps.at(-1)!;
  const at = near === undefined ? undefined : Math.max(0, Math.min(losses.length - 1, near));
  const pointAt = (event: PointerEvent) => {
    const { left } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const share = (event.clientX - left - margin.left) / (width - margin.left - margin.right);
    setNear(Math.round(share * Math.max(1, total - 1)));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    setNear((at ?? (step > 0 ? -1 : losses.length)) + step);
  };
  return (
    <Figure title={words.curve} note={note}>
      <div
        class="curve"
        ref={of}
        role="application"
        aria-roledescription={words.curve}
        tabIndex={0}
        aria-label={words.curveLabel(losses.length, losses[0]!, losses.at(-1)!, judged.at(-1)?.loss)}
        onPointerMove={pointAt}
        onPointerLeave={() => setNear(undefined)}
        onBlur={() => setNear(undefined)}
        onKeyDown={onKeyDown}
      >
        {width > 0 && <Plot width={width} at={at} points={{ losses, judged, total, guess }} />}
        <p class="curve-read" aria-live="polite">
          {at === undefined ? (
            <>
              <span class="key of-loss">{words.lossOfStep}</span>
              {judged.length > 0 && <span class="key of-judged">{words.lossJudged}</span>}
            </>
          ) : (
            words.curveAt(at, losses[at]!, judged.find(({ step }) => step === at)?.loss)
          )}
        </p>
      </div>
    </Figure>
  );
}

function Plot({ width, at, points }: { width: number; at: number | undefined; points: Points }) {
  const { losses, judged, total, guess } = points;
  const svg = useRef<SVGSVGElement & { drawn?: DrawnCurve }>(null);
  useLayoutEffect(() => {
    svg.current!.drawn = { losses: [...losses], judged: [...judged] };
  });
  const [left, right] = [margin.left, width - margin.right];
  const most = [...losses, ...judged.map(({ loss }) => loss), guess ?? 0].reduce((a, b) => Math.max(a, b)) * 1.06;
  const x = (step: number) => left + ((right - left) * step) / Math.max(1, total - 1);
  const y = (loss: number) => height - margin.bottom - ((height - margin.top - margin.bottom) * loss) / most;
  const path = (line: readonly { step: number; loss: number }[]) =>
    line.map(({ step, loss }, i) => `${i ? 'L' : 'M'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join('');
  return (
    <svg ref={svg} width={width} height={height} aria-hidden="true">
      {ticksOf(most).map((tick) => (
        <g key={tick}>
          <line class="grid" x1={left} x2={right} y1={y(tick)} y2={y(tick)} />
          <text class="tick" x={left - 8} y={y(tick) + 4} text-anchor="end">
            {tick}
          </text>
        </g>
      ))}
      {guess !== undefined && (
        <>
          <line class="guess" x1={left} x2={right} y1={y(guess)} y2={y(guess)} />
          <text class="tick" x={right} y={y(guess) - 6} text-anchor="end">
            {words.guess(guess)}
          </text>
        </>
      )}
      <text class="tick" x={left} y={height - 6}>{`${words.step} 1`}</text>
      <text class="tick" x={right} y={height - 6} text-anchor="end">
        {total}
      </text>
      <path class="loss" d={path(losses.map((loss, step) => ({ step, loss })))} />
      <path class="judged" d={path(judged)} />
      {judged.map(({ step, loss }) => (
        <circle key={step} class="judged" cx={x(step)} cy={y(loss)} r="3.5" />
      ))}
      {at !== undefined && (
        <>
          <line class="at" x1={x(at)} x2={x(at)} y1={margin.top} y2={height - margin.bottom} />
          <circle class="at" cx={x(at)} cy={y(losses[at]!)} r="4" />
        </>
      )}
    </svg>
  );
}

/** Round numbers from 0 up, four or five of them. */
function ticksOf(most: number): number[] {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}
