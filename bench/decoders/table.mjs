// The results as a table in Markdown: a line for each figure, in milliseconds by the clock, and how many times ours each side's is, by the
// clock and by the processors' time, which what else runs on the machine hardly moves where there is one thread.
import { median } from '../figures.mjs';

const ms = (value) => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const line = (cells) => `| ${cells.join(' | ')} |`;
const titles = {
  vitrine: 'Vitrine',
  transformers: 'transformers.js',
  wllama: 'wllama',
  'llama-cpp': 'native llama.cpp',
  onnxruntime: 'onnxruntime-web',
};

export function table(results) {
  const adapters = Object.keys(titles).filter((adapter) =>
    results.some(({ sides }) => sides.some((side) => side.adapter === adapter)),
  );
  const lines = results.flatMap(({ model, format, device, sides, error }) => {
    const title = `${model}, ${format}, ${device}`;
    const of = (adapter) => sides.find((side) => side.adapter === adapter);
    const ours = of('vitrine');
    if (!ours?.figures) return [line([title, error ?? ours?.absent, ...adapters.map(() => '')])];
    return Object.keys(ours.figures).map((name) => {
      const own = ours.figures[name];
      const cells = adapters.map((adapter) => {
        const { absent = '–', figures } = of(adapter) ?? {};
        if (!figures) return absent;
        const theirs = figures[name];
        const ratio = (kind) =>
          theirs[kind].length && own[kind].length ? `${(median(theirs[kind]) / median(own[kind])).toFixed(2)}x` : '–';
        return `${ms(median(theirs.ms))}${adapter === 'vitrine' ? '' : ` (${ratio('ms')}, ${ratio('busy')})`}`;
      });
      return line([title, name, ...cells]);
    });
  });
  const columns = ['model', 'ms', ...adapters.map((adapter) => titles[adapter])];
  return [line(columns), line(columns.map((_, i) => (i < 2 ? '---' : '---:'))), ...lines].join('\n');
}
