// A bar for each row: milliseconds a token, on a logarithmic scale, with the range of the runs as a line.
import { figure } from './figures.mjs';

const colours = {
  vitrine: '#b4532a',
  onnxruntime: '#4a6fa5',
  transformers: '#6b8f71',
  wllama: '#8a6f9e',
  'llama-cpp': '#888888',
};
const escaped = (text) => text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);

/** The SVG of a run: decoding at the first context of at least 64 tokens. */
export function plot({ plan, rows, title }) {
  const length = plan.decode.find((n) => n >= 64) ?? plan.decode[0];
  const bars = rows.filter((row) => figure(row, 'decode', length) !== undefined);
  const sorted = [...bars].sort((a, b) => figure(a, 'decode', length) - figure(b, 'decode', length));
  const values = sorted.flatMap((row) => row.decode[length]);
  const [low, high] = [Math.min(...values) / 2, Math.max(...values) * 1.6];
  const [left, width, step] = [250, 620, 22];
  const x = (value) => left + (Math.log(value / low) / Math.log(high / low)) * width;
  const height = 60 + sorted.length * step;
  const parts = sorted.map((row, i) => {
    const y = 48 + i * step;
    const middle = figure(row, 'decode', length);
    const [from, to] = [Math.min(...row.decode[length]), Math.max(...row.decode[length])];
    const name = `${row.name}${row.device === 'webgpu' ? '' : `, ${row.threads} thread${row.threads > 1 ? 's' : ''}`}`;
    return `<text x="${left - 8}" y="${y + 12}" text-anchor="end">${escaped(name)}</text>
<rect x="${left}" y="${y}" width="${(x(middle) - left).toFixed(1)}" height="16" fill="${colours[row.adapter]}"/>
<path d="M${x(from).toFixed(1)} ${y + 8}H${x(to).toFixed(1)}" stroke="#000" stroke-opacity=".6"/>
<text x="${(x(to) + 6).toFixed(1)}" y="${y + 12}">${middle < 100 ? middle.toFixed(1) : middle.toFixed(0)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 70} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="26" font-size="15">${escaped(title)}: milliseconds a token at ${length} tokens of context (logarithmic; less is better)</text>
${parts.join('\n')}
</svg>
`;
}
