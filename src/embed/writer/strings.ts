import { type ErrorCode, VitrineError } from '../../plan/error.ts';

/** All that the element says; `element.strings = { continue: 'Weiter', ... }` says it in other words. */
export interface WriterStrings {
  /** What the text is, for who cannot see it, where neither `label` nor a `<label>` says so. */
  text: string;
  continue: string;
  stop: string;
  undo: string;
  retry: string;
  /** What to press instead of the button. */
  shortcut: string;
  /** @param percent undefined until sizes are known */
  loading(percent: number | undefined): string;
  ready: string;
  writing: string;
  stopped: string;
  undone: string;
  done(tokens: number, perSecond: number): string;
  /** Read out when a text is done. */
  added(text: string): string;
  /** A failure in a sentence; what the engine says stands below it. */
  failed(code: ErrorCode | undefined): string;
  required: string;
}

const failures: Partial<Record<ErrorCode, string>> = {
  'bad-checkpoint': 'This is not a model that can be read.',
  'unsupported-checkpoint': 'This model is of a kind that cannot write text here.',
  network: 'The model could not be fetched.',
  'no-webgpu': 'This browser offers no GPU to the page.',
  'out-of-memory': 'The model needs more memory than there is.',
  'device-lost': 'The GPU was taken away from this page.',
  'bad-option': 'A setting of this field does not fit.',
  'context-full': 'The text is longer than the model can read.',
};

const isMac = () => /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? '');

export const english: WriterStrings = {
  text: 'Text',
  continue: 'Continue',
  stop: 'Stop',
  undo: 'Undo',
  retry: 'Try again',
  get shortcut() {
    return isMac() ? '⌘ Return continues' : 'Ctrl + Enter continues';
  },
  loading: (percent) => (percent === undefined ? 'Loading the model' : `Loading the model, ${percent} %`),
  ready: 'The model is ready',
  writing: 'Writing',
  stopped: 'Stopped',
  undone: 'Taken back',
  done: (tokens, perSecond) =>
    perSecond > 0
      ? `${tokens} tokens, ${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} a second`
      : `${tokens} ${tokens === 1 ? 'token' : 'tokens'}`,
  added: (text) => `Added: ${text}`,
  failed: (code) => (code && failures[code]) ?? 'Something went wrong.',
  required: 'Write something first.',
};

export const codeOf = (error: unknown): ErrorCode | undefined =>
  error instanceof VitrineError ? error.code : undefined;
