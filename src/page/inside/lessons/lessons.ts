import { percent, shortNumber, visible } from '../../format.ts';
import { largest, lengthOf, patternRow, rowOf } from '../../shares.ts';
import { replaceText } from '../../writing.ts';
import type { Place } from '../frame.ts';
import { lookAt, type StationName } from '../looking.ts';
import type { Reading } from '../reading.ts';
import { setAside, type Touch, touch, touches } from '../touch.ts';
import { inductionHeads, likeliestToken, mostImportantHead } from './findings.ts';
import { words } from './words.ts';

/** What an experiment found: the place that its words and pictures are of, and its numbers. */
export interface Found {
  place: Place;
  values: (string | number)[];
}

/** A step of a lesson: it points at a picture, and its words are filled with the numbers of the text on the page. */
export interface LessonStep {
  station: StationName;
  /** Hook name of the picture; `N` stands for the block that its words are of. */
  tensor: string;
  /** What is done before the step is shown; `found` is what an earlier step of the lesson found. */
  prepare?: (found: Found | undefined) => void;
  /** The numbers of its text, at the place looked at. */
  values?: (reading: Reading, place: Place) => Promise<(string | number)[]>;
  /** A longer search, that tells how far it is: it finds the place to look at, too, and the steps behind it are about that. */
  find?: (reading: Reading, onProgress: (done: number, total: number) => void, signal: AbortSignal) => Promise<Found>;
  /** What it says of what was found before. */
  recalls?: (found: Found) => (string | number)[];
}

export type LessonName = keyof typeof words.lessons;

const rowIn = async (run: Reading, name: string, at: number) => rowOf(await run.tensor(name), at);
const norm = async (run: Reading, name: string, at: number) => lengthOf(await rowIn(run, name, at));

/** As many characters as a reader sees, where the browser can tell: an emoji of several parts is one. */
function charactersIn(text: string): number {
  if (!('Segmenter' in Intl)) return [...text].length;
  return [...new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)].length;
}

/** A text with a repetition, for heads that look for one. */
const repeated = () => {
  setAside();
  replaceText(words.repeatedText);
  lookAt({ position: undefined });
};

/** The head that the experiment knocks out. */
const knockedOut = ({ place: { layer, head } }: Found): Touch => ({ kind: 'head', layer, head, factor: 0 });

export const lessons: Record<LessonName, LessonStep[]> = {
  tokens: [
    {
      station: 'input',
      tensor: 'hook_embed',
      values: async ({ ids, texts, text }) => [charactersIn(text), ids.length, visible(texts.at(-1)!), ids.at(-1)!],
    },
  ],
  embeddings: [
    {
      station: 'input',
      tensor: 'hook_embed',
      values: async (run, { position }) => [run.model.config.nEmbd, visible(run.texts[position]!)],
    },
  ],
  positions: [
    { station: 'input', tensor: 'hook_pos_embed', values: async (_, { position }) => [position] },
    {
      station: 'input',
      tensor: 'blocks.0.hook_resid_pre',
      values: async (run, { position }) => [
        shortNumber(await norm(run, 'hook_embed', position)),
        shortNumber(await norm(run, 'hook_pos_embed', position)),
      ],
    },
  ],
  residual: [
    {
      station: 'block',
      tensor: 'blocks.N.hook_resid_pre',
      values: async (run, { layer, position }) => [
        shortNumber(await norm(run, `blocks.${layer}.hook_resid_pre`, position)),
        shortNumber(await norm(run, `blocks.${layer}.hook_resid_post`, position)),
      ],
    },
    {
      station: 'block',
      tensor: 'blocks.N.ln1.hook_normalized',
      values: async (run, { layer, position }) => {
        const [scale] = await rowIn(run, `blocks.${layer}.ln1.hook_scale`, position);
        return [shortNumber(scale!), 'rmsNormEpsilon' in run.model.config ? 'rms' : 'layer'];
      },
    },
  ],
  queries: [
    {
      station: 'block',
      tensor: 'blocks.N.attn.hook_q',
      values: async (run, { layer, head }) => {
        const { shape } = await run.tensor(`blocks.${layer}.attn.hook_q`);
        return [shape.at(-1)!, head];
      },
    },
    { station: 'block', tensor: 'blocks.N.attn.hook_k' },
    { station: 'block', tensor: 'blocks.N.attn.hook_v' },
  ],
  attention: [
    {
      station: 'block',
      tensor: 'blocks.N.attn.hook_pattern',
      values: async (run, { layer, head, position }) => {
        const row = patternRow(await run.tensor(`blocks.${layer}.attn.hook_pattern`), head, position);
        const [most = 0] = largest(row, 1);
        return [visible(run.texts[position]!), visible(run.texts[most]!), percent(row[most]!)];
      },
    },
    { station: 'block', tensor: 'blocks.N.attn.hook_z' },
  ],
  heads: [
    {
      station: 'overview',
      tensor: 'blocks.N.attn.hook_pattern',
      values: async (run) => [run.model.config.nLayer * run.model.config.nHead],
    },
  ],
  mlp: [
    {
      station: 'block',
      tensor: 'blocks.N.mlp.hook_post',
      values: async (run, { layer, position }) => {
        const row = await rowIn(run, `blocks.${layer}.mlp.hook_post`, position);
        const [most = 0] = largest(row, 1);
        const { activation } = run.model.config;
        return [row.length, row.filter((x) => x > 0.1).length, most, shortNumber(row[most]!), words.curves[activation]];
      },
    },
    { station: 'block', tensor: 'blocks.N.hook_mlp_out' },
  ],
  logits: [
    {
      station: 'output',
      tensor: 'logits',
      values: async (run, { position }) => {
        const { text, share } = await likeliestToken(run, position);
        return [run.model.config.vocabSize, visible(text), percent(share)];
      },
    },
    { station: 'output', tensor: 'logits' },
  ],
  induction: [
    { station: 'overview', tensor: 'blocks.N.attn.hook_pattern', prepare: repeated },
    {
      station: 'block',
      tensor: 'blocks.N.attn.hook_pattern',
      find: async (run) => {
        const [best] = await inductionHeads(run);
        const place = { layer: best?.layer ?? 0, head: best?.head ?? 0, position: best?.from ?? run.ids.length - 1 };
        if (!best) return { place, values: [words.noRepetition, '', '', ''] };
        return { place, values: [best.head, best.layer, percent(best.score), percent(best.even)] };
      },
    },
  ],
  knockOut: [
    {
      station: 'touch',
      tensor: 'logits',
      prepare: () => {
        setAside();
        lookAt({ position: undefined });
      },
      find: async (run, onProgress, signal) => {
        const { layer, head, text, before, after } = await mostImportantHead(run, onProgress, signal);
        const place = { layer, head, position: run.ids.length - 1 };
        return { place, values: [visible(text), percent(before), head, layer, percent(after)] };
      },
    },
    {
      station: 'touch',
      tensor: 'logits',
      prepare: (found) => found && touch(knockedOut(found)),
      recalls: ({ place: { head, layer } }) => [head, layer],
    },
    { station: 'touch', tensor: 'logits', prepare: () => (touches.value = []) },
  ],
};
