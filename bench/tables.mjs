// The README of docs/benchmarks, made from the runs that lie there.
import { best, figure, median, spread } from './figures.mjs';

const ms = (value) => (value === undefined ? '' : value < 100 ? value.toFixed(1) : value.toFixed(0));
const times = (value) => (Number.isFinite(value) ? `${value < 10 ? value.toFixed(1) : value.toFixed(0)}×` : '');
const percent = (value) => `${(value * 100).toFixed(0)} %`;
const megabytes = (value) => (value === undefined ? '' : (value / 1e6).toFixed(0));
const line = (cells) => `| ${cells.join(' | ')} |`;

/** Median and spread of a figure, e.g. `15.2 ±3 %`. */
function cell(row, kind, length) {
  const values = row[kind]?.[length];
  if (!values) return '';
  return values.length > 1 ? `${ms(median(values))} ±${percent(spread(values))}` : ms(values[0]);
}

function table({ plan, rows }) {
  const lengths = [...plan.prefill.map((n) => ['prefill', n]), ...plan.decode.map((n) => ['decode', n])];
  const heads = lengths.map(([kind, n]) => (kind === 'prefill' ? `prefill ${n}` : `token at ${n}`));
  const columns = ['', 'threads', 'load', 'first token', ...heads, 'peak MB', 'bundle MB, gzip', 'first tokens as f32'];
  const reference = rows.find((row) => row.adapter === 'vitrine' && row.weights === 'f32' && row.pieces);
  return [
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map((row) =>
      row.error
        ? line([row.name, row.threads, `failed: ${row.error.replaceAll('|', '/')}`])
        : line([
            ...[row.name, row.threads, ms(row.load), ms(row.firstToken)],
            ...lengths.map(([kind, n]) => cell(row, kind, n)),
            ...[
              megabytes(row.peakBytes),
              row.bundleBytes ? (row.bundleBytes / 1e6).toFixed(2) : '',
              agreement(row, reference),
            ],
          ]),
    ),
  ].join('\n');
}

/** Of how many of the first text's tokens a row and the reference agree, e.g. `17 of 17`. */
function agreement(row, reference) {
  if (!row.pieces || !reference?.pieces) return '';
  const differs = row.pieces.findIndex((piece, i) => piece !== reference.pieces[i]);
  return `${differs < 0 ? row.pieces.length : differs} of ${row.pieces.length}`;
}

function ratios({ plan, rows }) {
  const lengths = [...plan.prefill.map((n) => ['prefill', n]), ...plan.decode.map((n) => ['decode', n])];
  const others = rows.filter((row) => (row.adapter !== 'vitrine' || row.recompute) && !row.error);
  if (others.length === 0) return '';
  const columns = [
    '',
    'threads',
    ...lengths.map(([kind, n]) => (kind === 'prefill' ? `prefill ${n}` : `token at ${n}`)),
  ];
  return [
    'How many times as long each needs as Vitrine at its fastest, same device and threads (below 1×: it is faster):',
    '',
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...others.map((row) =>
      line([
        row.name,
        row.threads,
        ...lengths.map(([kind, n]) => times(figure(row, kind, n) / best(rows, row, kind, n))),
      ]),
    ),
  ].join('\n');
}

/** Weights of GPT-2 small that a token multiplies with, and their bytes in Vitrine's formats. */
const matrixWeights = 12 * 12 * 768 ** 2 + 50257 * 768;
const bytesPerWeight = { f32: 4, f16: 2, q8: 1.125, q4: 0.625 };

const perToken = {
  dispatches: 'dispatches',
  passes: 'passes',
  submits: 'submits',
  maps: 'buffer maps',
  writes: 'buffer writes',
  creations: 'creations',
};

/** What a token asks of the GPU, and how near its weights come to the speed at which the GPU copies. */
function counts({ plan, rows }) {
  const counted = rows.filter((row) => row.counts);
  if (counted.length === 0) return '';
  const columns = ['', ...Object.values(perToken), 'MB of weights bound', 'JavaScript, ms', 'of the copy bandwidth'];
  const short = (value) => String(Number(value.toPrecision(3)));
  return [
    'What one decoded token asks of the GPU, and its weights a second as a share of what the GPU copies (read + write):',
    '',
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...counted.map((row) => {
      const rate = row.counts.weightBytes / (figure(row, 'decode', plan.decode[0]) / 1000);
      return line([
        ...[row.name, ...Object.keys(perToken).map((key) => short(row.counts[key]))],
        ...[short(row.counts.weightBytes / 1e6), short(row.counts.scriptMs)],
        `${percent(rate / row.copyBytesPerSecond)} of ${short(row.copyBytesPerSecond / 1e9)} GB/s`,
      ]);
    }),
  ].join('\n');
}

function shares({ machine, plan, rows }) {
  const ours = rows.filter((row) => row.adapter === 'vitrine' && row.device === 'wasm' && !row.error);
  if (ours.length === 0) return '';
  const [shortest] = plan.decode.filter((n) => n >= 64);
  const longest = Math.max(...plan.prefill);
  const columns = [
    '',
    'threads',
    `memory read, token at ${shortest}`,
    'of the bandwidth',
    `prefill ${longest}, GFLOP/s`,
    'of the SIMD peak',
  ];
  const lines = ours.map((row) => {
    const roof = machine.rooflines.find(({ threads }) => threads === row.threads);
    const finer = row.weights === 'q4' ? 50257 * 768 + 12 * 4 * 768 ** 2 : 0; // words and c_fc stay q8
    const bytes = matrixWeights * bytesPerWeight[row.weights] + finer * (bytesPerWeight.q8 - bytesPerWeight.q4);
    const rate = bytes / (figure(row, 'decode', shortest) / 1000);
    const flops = (2 * 12 * 12 * 768 ** 2 * longest) / (figure(row, 'prefill', longest) / 1000);
    return line([
      ...[row.name, row.threads, `${(rate / 1e9).toFixed(1)} GB/s`, percent(rate / roof.bytesPerSecond)],
      ...[(flops / 1e9).toFixed(1), percent(flops / roof.flopsPerSecond)],
    ]);
  });
  const roofs = machine.rooflines.map(
    ({ threads, bytesPerSecond, flopsPerSecond }) =>
      `${threads} thread${threads > 1 ? 's' : ''}: ${(bytesPerSecond / 1e9).toFixed(1)} GB/s and ${(flopsPerSecond / 1e9).toFixed(0)} GFLOP/s`,
  );
  return [
    `What WebAssembly reaches here at all, reading a large buffer and multiplying in 128-bit registers – ${roofs.join('; ')}.`,
    '',
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...lines,
  ].join('\n');
}

/** How often the figures were taken; rows may have been taken again in a later run, and slow ones stop early. */
function medians({ rows }) {
  const takes = rows.flatMap(({ prefill = {}, decode = {} }) =>
    [...Object.values(prefill), ...Object.values(decode)].map(({ length }) => length),
  );
  const [least, most] = [Math.min(...takes), Math.max(...takes)];
  if (most === 1) return 'measured once';
  return `medians of ${least === most ? most : `${least} to ${most}`} (± half the range; fewer where one takes longer than 15 s)`;
}

function section([name, run]) {
  const { machine, plan } = run;
  const abouts = (wanted) => [...new Set(run.rows.filter((row) => row.about && wanted(row)).map((row) => row.about))];
  const versions = abouts(({ adapter }) => adapter !== 'vitrine');
  const adapters = abouts(({ adapter, device }) => adapter === 'vitrine' && device === 'webgpu');
  const gpus = [...new Set(adapters.map((about) => about.replace(/, [^,]*$/, '')))]; // without the weights' format
  return [
    `## ${run.title}`,
    `${[...gpus, machine.cpu].join('; ')}, ${machine.cores} cores, ${machine.memoryGb} GB; ${machine.browser}; ${machine.date}. ` +
      `Beside: ${versions.join(', ') || 'nothing'}. Milliseconds, ${medians(run)}; a token is the mean of ${plan.decodeTokens}.`,
    `![](${name}.svg)`,
    table(run),
    ratios(run),
    counts(run),
    shares(run),
  ]
    .filter(Boolean)
    .join('\n\n');
}

export const tables = (runs) => `# Benchmarks

Made by \`npm run bench\`, \`npm run bench:wasm\` and \`npm run bench:native\`: seeded random weights in the shape of GPT-2
small, the same texts for all, each row in a browser of its own, greedy. *First token* is that of a 64-token prompt right
after the load, compiling and warming up included; *prefill n* is the time to the first token of a prompt of n when
warm; *token at n* is one token with n in the context. *Peak* is what the browser's processes held beyond an empty page.
*Recompute* is Vitrine without its cache: the whole text again for every token, as WebGPT does it. onnxruntime has no
WebGPU kernel for the matrices of an int8 graph: that row's are multiplied by its WebAssembly, as the bytes bound show.

Two runs, of these files or of what bench.html downloads on a GPU of yours, are compared by \`node bench/compare.mjs a.json b.json\`.

${runs.map(section).join('\n\n')}
`;
