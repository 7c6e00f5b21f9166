import type { ErrorCode } from '../plan/error.ts';
import type { EmbeddedName } from './embedded.ts';
import type { Colouring } from './permalink.ts';
import type { Dial } from './settings.ts';

/** Every word of the page; translate this file. */

const number = new Intl.NumberFormat('en');
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** `15.3 MB`: powers of ten, as hubs and browsers count downloads. */
export function bytes(count: number): string {
  if (count < 1e6) return `${number.format(Math.ceil(count / 1e3))} kB`;
  return count < 1e9 ? `${oneDigit.format(count / 1e6)} MB` : `${oneDigit.format(count / 1e9)} GB`;
}

export const strings = {
  title: 'Vitrine',
  tagline: 'Transformers, running in this page',
  opening: 'Once upon a time',
  embeddedNames: {
    'tiny-tales': 'Tiny Tales',
    'tiny-digits': 'Tiny Digits',
    'tiny-dates': 'Tiny Dates',
    'tiny-translate': 'Tiny Translate',
    'tiny-blanks': 'Tiny Blanks',
    'tiny-tasks': 'Tiny Tasks',
  } satisfies Record<EmbeddedName, string>,
  back: 'Back to writing',
  converse: 'Converse',
  writeOn: 'Write on instead',

  text: 'Your text',
  textHint:
    'Write an opening. Control or Command and Enter completes it, Escape stops. Where the model offers the next words, Tab takes them, Control (on a Mac Option) and right arrow takes one word, Control and Space reads them out, Escape lets them go. Alt and arrow down shows what else was likely at the caret.',
  offers: (text: string) => `The model offers: ${text}`,
  take: 'takes it',
  tabKey: 'Tab',
  takeTouch: 'Take these words',
  takeIt: (text: string) => `Take what the model offers: ${text}`,
  offerKeys: (isApple: boolean) => `${isApple ? '⌥' : 'Ctrl'} → one word · Esc lets it go`,

  tokens: 'Tokens',
  tokenCount: (count: number) => (count === 1 ? '1 token' : `${number.format(count)} tokens`),
  perplexity: (value: number) => `perplexity ${value < 100 ? value.toFixed(1) : number.format(Math.round(value))}`,
  perplexityHint: 'As unsure as if it had to guess among so many equally likely tokens at each place',
  copyIds: 'Copy ids',
  copyIdsHint: 'Copy the numbers of the tokens, as a list',
  suggest: 'Offer the next words as I type',
  colourBy: 'Colour by',
  colourings: { none: 'nothing', probability: 'probability', rank: 'rank', entropy: 'entropy' },
  scaleEnds: {
    probability: ['expected, 100 %', 'unexpected, 0 %'],
    rank: ['likeliest', 'least likely'],
    entropy: ['no doubt', 'as open as among 150 tokens'],
  } as Record<Colouring, [string, string]>,
  aboutTokens: 'What the model reads and writes are tokens: words, or parts of words.',
  alternativesHint: (isApple: boolean) =>
    `Click a coloured token, or press ${isApple ? '⌥' : 'Alt'} ↓ in the text, for what else was likely there.`,
  alternativesTouch: 'Tap a coloured token for what else was likely there.',
  placeholder: 'Write an opening, or let the model begin.',
  writingBegins: 'The model is writing.',
  wrote: (text: string) => `The model wrote: ${text}`,

  startHere: 'Start here: six texts, and what to find in each',

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
  linkHint: 'Copy a link with the text, the model, all settings and what you tried inside',
  linkCopied: 'Link copied',
  toDark: 'Dark',
  toLight: 'Light',
  themeHint: (theme: string) => `Switch to the ${theme} theme`,

  ran: (tokens: number) => (tokens === 1 ? '1 token' : `${number.format(tokens)} tokens`),
  speed: (perSecond: number) =>
    `${perSecond < 10 ? oneDigit.format(perSecond) : number.format(Math.round(perSecond))} tokens/s`,
  seedUsed: (seed: number) => `seed ${seed}`,
  greedyUsed: 'greedy',
  changesUsed: 'with your changes',
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
  teach: 'Teach it with your own examples',
  closeTeach: 'Close teaching',

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
  withAdapter: (name: string) => `${name}, with an adapter`,
  patches: ([height, width]: readonly [number, number], count: number) =>
    `${height} × ${width} pixels in ${number.format(count)} patches`,
  shape: (layers: number | string, heads: number, width: number) => `${layers} blocks of ${heads} heads, ${width} wide`,
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

  previous: (what: string) => `Previous ${what.toLowerCase()}`,
  next: (what: string) => `Next ${what.toLowerCase()}`,
  dropHere: 'Drop config.json and model.safetensors to load them',
  fileModel: (names: string[]) => names.find((name) => /\.(safetensors|gguf)$/.test(name)) ?? names[0] ?? 'Files',

  updateWaits:
    'A newer version of this page is ready. It is taken when the page opens in one tab alone: close its other tabs, then reload this one.',
  details: 'Details',
  dismiss: 'Dismiss',
  tryAgain: 'Try again',
  useProcessor: 'Run on the processor',
  otherModel: 'Choose another model',

  failures: {
    'bad-checkpoint': [
      'This is not a model Vitrine can read.',
      'A model needs its config.json and its weights, complete and undamaged.',
    ],
    'unsupported-checkpoint': [
      'This model is of a kind Vitrine does not run.',
      'See the details, and choose another one.',
    ],
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
    diverged: ['What is computed has become no number.', 'See the details, and begin with smaller steps.'],
  } satisfies Record<ErrorCode, [what: string, wayOut: string]>,
  gpuFails: ['The GPU of this browser cannot run the model.', 'The processor can, more slowly; see the details.'] as [
    string,
    string,
  ],
  unknownFailure: ['Something went wrong in the engine.', 'Try again; if it happens again, reload the page.'] as [
    string,
    string,
  ],
  offline: ['There is no network connection.', 'The embedded model works without one.'] as [string, string],
  notFound: (name: string) =>
    [`There is no model at ${name}.`, 'Check the spelling: a hub id looks like openai-community/gpt2.'] as [
      string,
      string,
    ],
  gated: (id: string) =>
    [
      `The hub does not hand out ${id} to everyone.`,
      'Either its licence has to be accepted first, or there is no such model.',
    ] as [string, string],
  giveToken: 'Accept the licence',
  contextFull: (context: number) =>
    `The text fills the ${number.format(context)} tokens this model can read at a time. Take some of it away to go on.`,
};
