import type { ErrorCode } from '../plan/error.ts';
import type { Colouring, Device } from './permalink.ts';
import type { Dial } from './settings.ts';

/** Every word of the page; translate this file. */

const number = new Intl.NumberFormat('en');
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** `15.3 MB`: powers of ten, as hubs and browsers count downloads. */
export function bytes(count: number): string {
  if (count < 1e6) return `${number.format(Math.ceil(count / 1e3))} kB`;
  return count < 1e9 ? `${oneDigit.format(count / 1e6)} MB` : `${oneDigit.format(count / 1e9)} GB`;
}

function percentText(share: number): string {
  return share < 1e-4 ? '< 0.01 %' : `${(100 * share).toFixed(share < 0.01 ? 2 : 1)} %`;
}

export const strings = {
  title: 'Vitrine',
  tagline: 'GPT-2, running in this page',
  opening: 'Once upon a time',
  embeddedName: 'Tiny Tales',

  text: 'Your text',
  textHint:
    'Write an opening. Control or Command and Enter completes it, Escape stops. Where the model offers the next words, Tab takes them, Control and right arrow takes one word, Control and Space reads them out, Escape lets them go. Alt and arrow down shows what else was likely at the caret.',
  offers: (text: string) => `The model offers: ${text}`,
  take: 'takes it',
  tabKey: 'Tab',
  takeTouch: 'Take these words',
  takeIt: (text: string) => `Take what the model offers: ${text}`,
  offerKeys: 'Ctrl → one word · Esc lets it go',

  tokens: 'Tokens',
  suggest: 'Offer the next words as I type',
  colourBy: 'Colour by',
  colourings: { none: 'nothing', probability: 'probability', rank: 'rank', entropy: 'entropy' },
  scaleEnds: {
    probability: ['expected, 100 %', 'unexpected, 0 %'],
    rank: ['likeliest', 'least likely'],
    entropy: ['no doubt', 'open, 5 nats and more'],
  } as Record<Colouring, [string, string]>,
  alternativesHint: 'Click a coloured token, or press Alt ↓ in the text, for what else was likely there.',
  alternatives: (text: string) => `What else could stand in the place of ${text}`,
  asking: 'Asking the model…',
  firstToken: 'The first token: nothing before it to predict it from.',
  tokenFacts: (probability: number, rank: number, entropy: number) =>
    `${percentText(probability)}, rank ${number.format(rank)}, entropy ${entropy.toFixed(2)} nats`,
  share: percentText,
  visible: (text: string) => text.replaceAll(' ', '␣').replaceAll('\n', '↵'),
  branches: 'Branches of the text',
  branch: (depth: number, text: string) => (depth === 0 ? `The first text: ${text}` : `Branch: ${text}`),
  emptyBranch: 'empty',
  placeholder: 'Write an opening, or let the model begin.',
  writingBegins: 'The model is writing.',
  wrote: (text: string) => `The model wrote: ${text}`,

  complete: 'Complete',
  completeKey: 'Ctrl ↵',
  completeKeyApple: '⌘ ↵',
  stop: 'Stop',
  stopKey: 'Esc',
  another: 'Another',
  anotherHint: 'Take back the last completion and write another with a new seed',
  undo: 'Undo',
  undoHint: 'Take back the last change, yours or the model’s',
  redo: 'Redo',
  redoHint: 'Bring back what was taken back',
  copy: 'Copy',
  copied: 'Copied',
  notCopied: 'Not copied',
  copyHint: 'Copy the whole text',
  reset: 'Start over',
  resetHint: 'Back to the opening; Undo brings the text back',
  link: 'Copy link',
  linkHint: 'Copy a link with the prompt, the model and all settings',
  linkCopied: 'Link copied',
  toDark: 'Dark',
  toLight: 'Light',
  themeHint: (theme: string) => `Switch to the ${theme} theme`,

  ran: (tokens: number) => (tokens === 1 ? '1 token' : `${number.format(tokens)} tokens`),
  speed: (perSecond: number) =>
    `${perSecond < 10 ? oneDigit.format(perSecond) : number.format(Math.round(perSecond))} tokens/s`,
  seedUsed: (seed: number) => `seed ${seed}`,
  greedyUsed: 'greedy',
  reading: 'Reading the prompt…',
  finish: {
    stop: 'ended at a stop string',
    eos: 'the text ended',
    abort: 'stopped',
    context: 'the context is full',
  },

  seeInside: 'See inside the model',
  seeInsideShort: 'Look inside',
  closeInside: 'Close the model',

  sampling: 'Sampling',
  moreDials: 'More',
  fewerDials: 'Fewer',
  defaults: 'Defaults',
  off: 'off',
  summary: (temperature: number, length: number) =>
    `${temperature === 0 ? 'greedy' : `temperature ${temperature.toFixed(2)}`}, up to ${number.format(length)} tokens`,
  typed: (name: string) => `${name}, value`,
  greedy: 'greedy',
  greedyNote: 'Always the likeliest token; what is dimmed has no effect.',
  dials: {
    temperature: ['Temperature', 'How freely the model picks; 0 always takes the likeliest token'],
    topK: ['Top-k', 'Only the k likeliest tokens'],
    topP: ['Top-p', 'Only the likeliest tokens that together reach this probability'],
    minP: ['Min-p', 'Only tokens at least this fraction as likely as the likeliest'],
    typicalP: ['Typical-p', 'Only tokens about as surprising as the model expects, together this probable'],
    repetitionPenalty: ['Repetition penalty', 'Makes tokens that already occurred less likely'],
    frequencyPenalty: ['Frequency penalty', 'Takes this much from a token’s logit each time it was written'],
    presencePenalty: ['Presence penalty', 'Takes this much from the logit of every token that was written'],
    maxNewTokens: ['Length', 'The most tokens of one completion'],
  } satisfies Record<Dial, [name: string, meaning: string]>,
  seed: 'Seed',
  seedMeaning: 'The same seed, text and settings give the same completion',
  dice: 'New seed',

  modelSection: 'Model',
  changeModel: 'Change model',
  shape: (layers: number, heads: number, width: number) => `${layers} blocks of ${heads} heads, ${width} wide`,
  words: (vocabulary: number, context: number) =>
    `${number.format(vocabulary)} tokens known, ${number.format(context)} at a time`,
  kinds: { webgpu: 'WebGPU', wasm: 'Processor', cpu: 'Processor' },
  runsOn: (kind: string, adapter: string) => (adapter ? `${kind}, ${adapter}` : kind),
  noModel: 'No model',
  held: (dtype: string, count: number) => `${dtype}, ${bytes(count)} in memory`,
  local: 'Nothing you write leaves this device, unless you copy a link with it.',

  loading: (name: string) => `Loading ${name}`,
  loaded: (count: number, total: number | undefined) => (total ? `${bytes(count)} of ${bytes(total)}` : bytes(count)),
  cancel: 'Cancel',
  ready: (name: string, device: string) => `${name} is ready on ${device}.`,

  dialogTitle: 'Choose a model',
  close: 'Close',
  embeddedAbout: 'A toy of 7.7 million parameters that tells children’s stories. It came with this page.',
  hubTitle: 'On the web',
  hubAbout: 'Any GPT-2 of the Hugging Face hub, or the address of a folder with config.json and model.safetensors.',
  hubField: 'Hub id or address',
  hubSuggestions: [
    ['openai-community/gpt2', 'GPT-2 small'],
    ['distilbert/distilgpt2', 'DistilGPT-2'],
    ['openai-community/gpt2-medium', 'GPT-2 medium'],
  ] as [id: string, name: string][],
  check: 'Find',
  checking: 'Asking for its size…',
  asks: (name: string, size: number | undefined) =>
    size === undefined ? `${name} does not say how large it is.` : `${name} is a download of ${bytes(size)}.`,
  asksLink: (name: string) => `This link asks for the model ${name}.`,
  findIt: 'Show its size',
  download: 'Download',
  filesTitle: 'On this device',
  filesAbout:
    'config.json and model.safetensors of a GPT-2, and its tokenizer if it has its own. Or drop them anywhere on this page.',
  chooseFiles: 'Choose files',
  dropHere: 'Drop config.json and model.safetensors to load them',
  fileModel: (names: string[]) => names.find((name) => /\.(safetensors|gguf)$/.test(name)) ?? names[0] ?? 'Files',
  unkept: (name: string) => `${name} could not be kept in this browser: the next visit will download it again.`,
  cachedTitle: 'Downloaded before',
  noneCached: 'There is none any more.',
  unfinished: (count: number) => `${bytes(count)}, unfinished`,
  use: 'Use',
  useCached: (name: string) => `Use ${name}`,
  delete: 'Delete',
  deleteCached: (name: string) => `Delete ${name} from this device`,
  deleted: (name: string, count: number) => `${name} is deleted, ${bytes(count)} are free again.`,
  keep: 'Keep these models',
  keeping: {
    unasked: 'When the disk is full, the browser may delete them.',
    granted: 'They stay on this device until you delete them.',
    refused:
      'The browser may still delete them when the disk is full. It may agree later, or once this page is installed.',
  },
  device: 'Run on',
  checkDevice: 'Check this GPU',
  deviceNames: {
    auto: 'GPU if there is one',
    webgpu: 'GPU (WebGPU)',
    wasm: 'Processor (WebAssembly)',
    cpu: 'Processor (JavaScript)',
  } satisfies Record<Device, string>,

  wrongGpu:
    'The GPU computes something else than it should, so the model runs on the processor: the same text, more slowly. A newer driver or browser may help.',
  noGpu:
    'This browser offers no GPU, so the model runs on the processor: the same text, more slowly. Current versions of Chrome, Edge, Safari and Firefox have WebGPU.',
  softwareGpu:
    'This browser offers a GPU in software only, which the processor would compute, so the model runs on the processor itself: the same text. A newer driver, or hardware acceleration in the browser’s settings, may bring the real one.',
  updateWaits:
    'A newer version of this page is ready. It is taken when the page opens in one tab alone: close its other tabs, then reload this one.',
  details: 'Details',
  dismiss: 'Dismiss',
  tryAgain: 'Try again',
  useEmbedded: 'Use Tiny Tales',
  useProcessor: 'Run on the processor',
  otherModel: 'Choose another model',

  failures: {
    'bad-checkpoint': [
      'This is not a model Vitrine can read.',
      'A GPT-2 needs its config.json and model.safetensors, complete and undamaged.',
    ],
    'unsupported-checkpoint': ['This model is of a kind Vitrine does not run.', 'It runs models of the GPT-2 family.'],
    network: ['The model could not be fetched.', 'Check the connection and the name or address, then try again.'],
    'no-webgpu': [
      'This browser offers no GPU to the page.',
      'A current Chrome, Edge, Safari or Firefox has WebGPU; the processor can run the model too, more slowly.',
    ],
    'out-of-memory': ['The model needs more memory than there is.', 'Close other tabs or choose a smaller model.'],
    'device-lost': [
      'The GPU was taken away from this page.',
      'This happens after sleep or a driver update. Try again.',
    ],
    'bad-option': ['One of the settings does not fit this model.', 'See the details, change it and try again.'],
    'context-full': ['The text is longer than this model can read.', 'Take some of it away and complete again.'],
    disposed: ['The model was unloaded.', 'Load it again.'],
    'no-worker': ['This browser starts no worker for the page.', 'Another browser, or other settings, may allow it.'],
    diverged: ['What this device computes is not what the model says.', 'Choose another device in the settings.'],
  } satisfies Record<ErrorCode, [what: string, wayOut: string]>,
  unknownFailure: ['Something went wrong in the engine.', 'Try again; if it happens again, reload the page.'] as [
    string,
    string,
  ],
  offline: ['There is no network connection.', 'The embedded model works without one.'] as [string, string],
  notFound: (name: string) =>
    [`There is no GPT-2 at ${name}.`, 'Check the spelling: a hub id looks like openai-community/gpt2.'] as [
      string,
      string,
    ],
  contextFull: (context: number) =>
    `The text fills the ${number.format(context)} tokens this model can read at a time. Take some of it away to go on.`,
};
