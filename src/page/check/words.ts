const number = new Intl.NumberFormat('en');

/** Every word of the page that checks a GPU. */
export const words = {
  title: 'Check this GPU',
  question: 'Does this GPU compute what it should?',
  lead: 'Drivers make mistakes that nobody sees: a kernel that computes zeros, a barrier that is left out. Here every kernel of the engine runs on fresh numbers, in every variant and weight format, and the processor computes the same beside it. At the end both read a short text with the small model that comes with the page. Nothing leaves this page.',
  begin: 'Check this GPU',
  again: 'Check again',
  stop: 'Stop',
  home: 'Vitrine',
  beginning: 'Asking for a device…',
  running: (done: number, total: number) => `${number.format(done)} of ${number.format(total)} kernels`,
  closing: 'Both read a text…',
  stopped: (count: number) => `Stopped after ${number.format(count)} comparisons.`,
  agree: (count: number) => `All ${number.format(count)} comparisons agree.`,
  differ: (wrong: number, count: number) =>
    `${number.format(wrong)} of ${number.format(count)} comparisons ${wrong === 1 ? 'differs' : 'differ'}.`,
  disagree: 'Every kernel agrees, and the model’s logits differ.',
  tokens: (same: number, positions: number) =>
    `A text of ${positions} tokens: the same likeliest token ${same === positions ? 'everywhere' : `at ${same} of the positions`}.`,
  advice:
    'The engine leaves a kernel that differs for another variant, and where none is right goes on without the GPU. Please report this device with the text below.',
  software: 'This is a software renderer: what the processor computes is compared with itself.',
  took: (ms: number) => `in ${(ms / 1000).toFixed(1)} s`,
  columns: { kernel: 'Kernel', rows: 'Rows', error: 'Error, relative', time: 'Time' },
  scale: 'Each mark is an error on a scale of powers of ten, the line what is allowed.',
  one: 'one',
  many: 'many',
  wrongText: 'differs',
  silent: 'wrote no number',
  markdown: 'Copy as Markdown',
  json: 'Copy as JSON',
  copied: 'Copied',
  groups: {
    wrong: 'What differs',
    'as the adapter has it': 'As the adapter has it',
    'each step apart': 'Each step apart, as a trace runs it',
  } as Record<string, string>,
  variant: (name: string) => `Variant ${name}`,
  noGpu: 'There is no GPU to check.',
  failed: 'The check ended early.',
  noScript:
    'A script of this page could not be fetched, or was not allowed to start. Check the connection, and reload the page.',
  milliseconds: (ms: number) => `${ms < 10 ? ms.toFixed(1) : number.format(Math.round(ms))} ms`,
  exponent: (error: number | null) =>
    error === null || Number.isNaN(error) ? '–' : error === 0 ? '0' : error.toExponential(1),
};
