import type { DeviceReport, Rung } from '../../index.ts';
import { words } from './words.ts';

const cell = (text: string) => text.replaceAll('|', '\\|');

const row = ({ op, variant, rows, error, tolerance, ms, passed, failure }: Rung) =>
  `| ${[
    passed ? '' : '**differs**',
    cell(op),
    cell(variant),
    rows,
    words.exponent(error.mean),
    words.exponent(error.worst),
    words.exponent(tolerance.mean),
    ms.toFixed(1),
    cell(failure ?? ''),
  ].join(' | ')} |`;

/** The report to paste: what differs first. */
export function markdown(report: DeviceReport): string {
  const { rungs, adapter, browser, features, limits, agreement, ms } = report;
  const wrong = rungs.filter(({ passed }) => !passed);
  const lines = [
    `### ${wrong.length > 0 ? words.differ(wrong.length, rungs.length) : words.agree(rungs.length)}`,
    '',
    `- Adapter: ${adapter}${report.software ? ' (software)' : ''}`,
    `- Browser: ${browser}`,
    `- Features: ${features.join(', ') || 'none'}`,
    `- Limits: ${Object.entries(limits)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
    `- Time: ${(ms / 1000).toFixed(1)} s`,
    ...(agreement
      ? [
          `- Model: the same token at ${agreement.same} of ${agreement.positions} positions, logits off by ${words.exponent(agreement.error.mean)}`,
        ]
      : []),
    '',
    '| | kernel | variant | rows | error | worst | allowed | ms | |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...[...wrong, ...rungs.filter(({ passed }) => passed)].map(row),
  ];
  return `${lines.join('\n')}\n`;
}
