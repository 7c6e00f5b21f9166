import type { Inspection } from '../../../index.ts';
import type { EmbeddedName } from '../../embedded.ts';

import type { Device } from '../../permalink.ts';
import { bytes } from '../../strings.ts';

/** What the models that come with the page do, and whose work they stand on. Translate this file. */

interface Card {
  does: string;
  /** A sight of it: what goes in and what comes out. */
  shows: string;
  family: string;
  /** As `inspect` counts them; a test compares. */
  parameters: number;
  bytes: number;
  /** Who is to be named where the model is shown. */
  sources: string;
}

export const cards: Record<EmbeddedName, Card> = {
  'tiny-tales': {
    does: 'Writes small stories on from what you begin.',
    shows: 'Once upon a time … there was a little girl',
    family: 'GPT-2',
    parameters: 7_655_552,
    bytes: 15_311_104,
    sources: 'Learned from TinyStories and African Storybook; its card names the authors.',
  },
  'tiny-digits': {
    does: 'Reads a digit that you draw.',
    shows: '28 × 28 pixels → 7',
    family: 'Vision transformer',
    parameters: 207_114,
    bytes: 414_228,
    sources: 'Learned from MNIST, by Y. LeCun, C. Cortes and C. J. C. Burges (CC BY-SA 3.0), and drawn strokes.',
  },
  'tiny-dates': {
    does: 'Puts dates in order, English or Chinese.',
    shows: 'the third of March 2019 → 2019-\u206003-\u206003',
    family: 'Marian, the transformer of 2017',
    parameters: 831_360,
    bytes: 1_663_720,
    sources: 'Learned from generated dates.',
  },
  'tiny-translate': {
    does: 'Translates short English sentences into French.',
    shows: 'This is how you do it. → C’est ainsi que tu le fais.',
    family: 'Marian, the transformer of 2017',
    parameters: 1_900_544,
    bytes: 3_809_088,
    sources: 'Learned from Tatoeba (tatoeba.org and its contributors, by way of manythings.org/anki; CC BY 2.0 FR).',
  },
  'tiny-blanks': {
    does: 'Says what would fit where you take a word away.',
    shows: 'The little girl went to the ▁▁▁▁. → park',
    family: 'BERT',
    parameters: 1_471_752,
    bytes: 2_943_504,
    sources: 'Learned from TinyStories and African Storybook; the card of Tiny Tales names the authors.',
  },
  'tiny-tasks': {
    does: 'A dozen tasks about words and numbers, told apart by their first word.',
    shows: 'plural: mouse → mice',
    family: 'T5',
    parameters: 801_376,
    bytes: 1_602_752,
    sources: 'Learned from generated tasks.',
  },
};

const encoders: Record<string, string> = {
  'masked-words': 'an encoder that fills blanks',
  classes: 'an encoder that sorts texts into classes',
  'token-classes': 'an encoder that marks words',
  answers: 'an encoder that finds answers in a text',
};

/** What a model that was found does, after its name. */
export function does({ kind, heads }: Pick<Inspection, 'kind' | 'heads'>): string {
  switch (kind) {
    case 'decoder':
      return 'a decoder: it writes on';
    case 'encoder-decoder':
      return 'an encoder-decoder: it reads one text and writes another';
    case 'vision':
      return heads.length > 0 ? 'an image encoder: it says what a picture shows' : 'an image encoder';
    case 'encoder':
      return encoders[heads[0] ?? ''] ?? 'an encoder: it compares sentences';
    default:
      return kind satisfies never;
  }
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
export const millions = (count: number) => `${number.format(count / 1e6)} million parameters`;

export const words = {
  dialogTitle: 'Choose a model',
  hubTitle: 'On the web',
  hubField: 'Hub id or address',
  check: 'Find',
  checking: 'Asking what it is…',
  asks: (name: string, size: number) => `${name} is a download of ${bytes(size)}.`,
  download: 'Download',
  filesTitle: 'On this device',
  filesAbout:
    'A model’s config.json, its weights (safetensors or GGUF) and its tokenizer. Or drop them anywhere on this page.',
  chooseFiles: 'Choose files',
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
  deviceNames: {
    auto: 'GPU if there is one',
    webgpu: 'GPU (WebGPU)',
    wasm: 'Processor (WebAssembly)',
    cpu: 'Processor (JavaScript)',
  } satisfies Record<Device, string>,

  galleryTitle: 'With this page',
  galleryAbout: 'Small models, each fetched when you open it.',
  open: (name: string) => `Open ${name}`,
  openNow: 'This one is open',
  openBytes: (size: string) => `Open, ${size}`,
  card: 'Its card',
  cardOf: (name: string) => `The card of ${name}`,
  hubAbout:
    'Any model of these families on the Hugging Face hub, or the address of a folder with config.json and model.safetensors. You see what it is and how large before anything is downloaded.',
  hubSuggestions: [
    ['openai-community/gpt2', 'GPT-2 small'],
    ['HuggingFaceTB/SmolLM2-135M-Instruct', 'SmolLM2, chats'],
    ['google-bert/bert-base-uncased', 'BERT'],
    ['sentence-transformers/all-MiniLM-L6-v2', 'MiniLM, sentences'],
    ['google/flan-t5-small', 'Flan-T5'],
    ['google/vit-base-patch16-224', 'ViT'],
  ] as [id: string, name: string][],
  found: (what: string, family: string, parameters: number) => `${family}, ${what}; ${millions(parameters)}.`,
  gatedAbout: 'Accept it there, make an access token in your settings there, and put it here. It is not stored.',
  licence: 'Open its page on the hub',
  token: 'Access token',
  tryToken: 'Try with the token',
};
