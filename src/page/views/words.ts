import { percent } from '../format.ts';

/** Words of what is fetched when it is asked for; translate this file. */

const number = new Intl.NumberFormat('en');

export const words = {
  alternatives: (text: string) => `What else could stand in the place of ${text}`,
  asking: 'Asking the model…',
  firstToken: 'The first token: nothing before it to predict it from.',
  tokenFacts: (probability: number, rank: number, entropy: number) =>
    `${percent(probability)}, rank ${number.format(rank)}; as open as among ${number.format(Math.round(Math.exp(entropy)))} equally likely tokens (entropy ${entropy.toFixed(2)} nats)`,

  addAdapter: 'Add an adapter',
  aboutAdapters: (name: string) =>
    `A LoRA adapter changes what ${name} does and leaves its files as they are. Choose adapter_config.json and adapter_model.safetensors together, or a GGUF adapter.`,
  chooseAdapter: 'Choose its files',
  takeOff: 'Take it off',

  wrongGpu:
    'The GPU computes something else than it should, so the model runs on the processor: the same text, more slowly. A newer driver or browser may help.',
  noGpu:
    'This browser offers no GPU, so the model runs on the processor: the same text, more slowly. Current versions of Chrome, Edge, Safari and Firefox have WebGPU.',
  failedGpu:
    'The GPU could not run this model, so it runs on the processor: the same text, more slowly. Closing other tabs, or restarting the browser, may help.',
  softwareGpu:
    'This browser offers a GPU in software only, which the processor would compute, so the model runs on the processor itself: the same text. A newer driver, or hardware acceleration in the browser’s settings, may bring the real one.',
  checkDevice: 'Check this GPU',

  close: 'Close',

  branches: 'Branches of the text',
  branch: (depth: number, text: string) => (depth === 0 ? `The first text: ${text}` : `Branch: ${text}`),
  emptyBranch: 'empty',

  asksLink: (name: string) => `This link asks for the model ${name}.`,
  findIt: 'Show its size',
  unkept: (name: string) => `${name} could not be kept in this browser: the next visit will download it again.`,
};
