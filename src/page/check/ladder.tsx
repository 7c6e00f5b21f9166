import type { Rung } from '../../index.ts';
import { words } from './words.ts';

/** The scale of errors: from what no float32 shows to results that have nothing to do with each other. */
const LOWEST = -9;
const HIGHEST = 0;

/** Where an error is on the scale, in per cent. */
function place(error: number): number {
  if (!(error > 0)) return Number.isNaN(error) ? 100 : 0;
  return (100 * (Math.min(HIGHEST, Math.max(LOWEST, Math.log10(error))) - LOWEST)) / (HIGHEST - LOWEST);
}

/** An error and what is allowed, on a scale of powers of ten. */
function Mark({ error, tolerance, passed }: Pick<Rung, 'error' | 'tolerance' | 'passed'>) {
  const text = passed ? words.exponent(error.mean) : `${words.exponent(error.mean)}, ${words.wrongText}`;
  return (
    <>
      <svg class="mark" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <line class="track" x1="0" x2="100" y1="5" y2="5" />
        <line class="allowed" x1={place(tolerance.mean)} x2={place(tolerance.mean)} y1="0" y2="10" />
        <line class="found" x1={place(error.mean)} x2={place(error.mean)} y1="1" y2="9" />
      </svg>
      <span class="figure">{Number.isNaN(error.mean) ? words.silent : text}</span>
    </>
  );
}

/** What was compared so far, variant by variant. */
export function Ladder({ rungs }: { rungs: readonly Rung[] }) {
  if (rungs.length === 0) return null;
  const groups = new Map<string, Rung[]>();
  const wrong = rungs.filter(({ passed }) => !passed);
  if (wrong.length > 0) groups.set('wrong', wrong);
  for (const rung of rungs) groups.set(rung.variant, [...(groups.get(rung.variant) ?? []), rung]);
  const { kernel, rows, error, time } = words.columns;
  return (
    <div class="ladder">
      <p class="about">{words.scale}</p>
      {[...groups].map(([variant, some]) => (
        <table key={variant}>
          <caption>{words.groups[variant] ?? words.variant(variant)}</caption>
          <thead>
            <tr>
              <th scope="col">{kernel}</th>
              <th scope="col">{rows}</th>
              <th scope="col">{error}</th>
              <th scope="col">{time}</th>
            </tr>
          </thead>
          <tbody>
            {some.map((rung, i) => (
              <tr key={`${rung.op} ${i}`} data-passed={rung.passed}>
                <th scope="row">
                  {variant === 'wrong' ? `${rung.op} (${rung.variant})` : rung.op}
                  {rung.failure && <small>{rung.failure}</small>}
                </th>
                <td>{rung.rows === 'one' ? words.one : words.many}</td>
                <td class="error">
                  <Mark {...rung} />
                </td>
                <td>{words.milliseconds(rung.ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </div>
  );
}
