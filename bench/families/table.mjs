// The results as tables in Markdown.
import { median } from '../figures.mjs';

const ms = (value) => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const line = (cells) => `| ${cells.join(' | ')} |`;

/** How far results may be from one another: what float32 summed in another order gives. In q8 each engine rounds in its own way. */
const tolerances = { f32: 1e-3, q8: Number.POSITIVE_INFINITY };

/** The median of each of a side's ways, the quickest first. */
const waysOf = (row, isOurs) =>
  Object.entries(row.ways)
    .filter(([, { adapter }]) => (adapter === 'vitrine') === isOurs)
    .map(([way, figures]) => ({ way, ...figures, median: median(figures.ms), busy: median(figures.busyMs) }))
    .sort((a, b) => a.median - b.median);

function agreement([theirs], format) {
  if (theirs?.difference === undefined) return '';
  const words = theirs.difference === null ? 'other sizes' : theirs.difference.toExponential(0);
  return theirs.difference !== null && theirs.difference <= tolerances[format] ? words : `DIFFER: ${words}`;
}

export function table(results) {
  const columns = ['', 'format', 'device', 'Vitrine, ms', 'transformers.js, ms'];
  columns.push('ratio', 'by processor time', 'difference', 'dispatches');
  const lines = results.flatMap(({ name, format, device, error, rows = [] }) => {
    if (error) return [line([name, format, device, `failed: ${error.replaceAll('|', '/')}`, '', '', '', '', ''])];
    return rows.map((row) => {
      const [ours] = waysOf(row, true);
      const theirs = waysOf(row, false);
      const others = theirs.map(({ way, median }) => `${ms(median)}${theirs.length > 1 ? ` ${way}` : ''}`);
      const ratio = (key) =>
        theirs[0]?.[key] >= 0 && ours[key] > 0 ? `${(theirs[0][key] / ours[key]).toFixed(2)}x` : '';
      const counts = row.counts ? `${row.counts.dispatches}` : '';
      return line([
        `${name}, ${row.name}`,
        format,
        device,
        ms(ours.median),
        others.join(', '),
        ratio('median'),
        ratio('busy'),
        agreement(theirs, format),
        counts,
      ]);
    });
  });
  return [line(columns), line(columns.map((_, i) => (i < 3 ? '---' : '---:'))), ...lines].join('\n');
}

/** The steps of each case that took longest, those of all blocks together. */
export function steps(results) {
  return results
    .flatMap(({ name, format, device, rows = [] }) =>
      rows.map((row) => ({ title: `${name}, ${row.name}, ${format}, ${device}`, ...row })),
    )
    .filter(({ profile }) => profile)
    .map(({ title, profile }) => {
      const sums = new Map();
      for (const { step, microseconds } of profile.steps) {
        const kind = `${step.op} ${[step.outputs ?? step.output ?? []].flat().join(', ')}`.replace(/\d+/g, 'N');
        sums.set(kind, (sums.get(kind) ?? 0) + microseconds / 1000);
      }
      const sorted = [...sums].sort(([, a], [, b]) => b - a).slice(0, 14);
      return [`\n${title}:`, ...sorted.map(([kind, sum]) => `  ${sum.toFixed(2).padStart(9)} ms  ${kind}`)].join('\n');
    })
    .join('\n');
}
