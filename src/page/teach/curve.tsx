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

/** The loss of each step and of what is judged; pointing, or the arrow keys, reads a step. `guess`: the loss of who guesses. */
export function Curve({ run, note, guess }: { run: Course; note: string; guess?: number }) {
  const { width, of } = useWidth();
  const [near, setNear] = useState<number | undefined>(undefined);
  const figure = useRef<SVGSVGElement & { drawn?: DrawnCurve }>(null);
  const losses = run.steps.map(({ loss }) => loss);
  const judged = run.steps.flatMap(({ step, evaluation }) => (evaluation ? [{ step, loss: evaluation.loss }] : []));
  useLayoutEffect(() => {
    if (figure.current) figure.current.drawn = { losses, judged };
  });
  const total = run.steps.at(-1)!.steps;
  const most = Math.max(...losses, ...judged.map(({ loss }) => loss), guess ?? 0) * 1.06;
  const x = (step: number) => margin.left + ((width - margin.left - margin.right) * step) / Math.max(1, total - 1);
  const y = (loss: number) => height - margin.bottom - ((height - margin.top - margin.bottom) * loss) / most;
  const path = (points: readonly { step: number; loss: number }[]) =>
    points.map(({ step, loss }, i) => `${i ? 'L' : 'M'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join('');
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
  const judgedAt = (step: number) => judged.find((one) => one.step === step)?.loss;
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
        {width > 0 && (
          <svg ref={figure} width={width} height={height} aria-hidden="true">
            {ticksOf(most).map((tick) => (
              <g key={tick}>
                <line class="grid" x1={margin.left} x2={width - margin.right} y1={y(tick)} y2={y(tick)} />
                <text class="tick" x={margin.left - 8} y={y(tick) + 4} text-anchor="end">
                  {tick}
                </text>
              </g>
            ))}
            {guess !== undefined && (
              <>
                <line class="guess" x1={margin.left} x2={width - margin.right} y1={y(guess)} y2={y(guess)} />
                <text class="tick" x={width - margin.right} y={y(guess) - 6} text-anchor="end">
                  {words.guess(guess)}
                </text>
              </>
            )}
            <text class="tick" x={margin.left} y={height - 6}>{`${words.step} 1`}</text>
            <text class="tick" x={width - margin.right} y={height - 6} text-anchor="end">
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
        )}
        <p class="curve-read" aria-live="polite">
          {at === undefined ? (
            <>
              <span class="key of-loss">{words.lossOfStep}</span>
              {judged.length > 0 && <span class="key of-judged">{words.lossJudged}</span>}
            </>
          ) : (
            words.curveAt(at, losses[at]!, judgedAt(at))
          )}
        </p>
      </div>
    </Figure>
  );
}

/** Round numbers from 0 up, four or five of them. */
function ticksOf(most: number): number[] {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}
