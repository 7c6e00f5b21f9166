import { replaceText } from '../../writing.ts';
import { percent, shortNumber, visible } from '../../format.ts';
import { head, layer, lookAt, position, type StationName } from '../looking.ts';
import type { Reading } from '../reading.ts';
import { touch, touches } from '../touch.ts';
import { words } from './words.ts';
import { inductionHeads, likeliestToken, mostImportantHead } from './findings.ts';

/** A step of a lesson: it points at a picture, and its words are filled with the numbers of the text on the page. */
export interface LessonStep {
  station: StationName;
  /** Hook name of the picture; `N` stands for the block looked at. */
  tensor: string;
  /** What is done before the step is shown. */
  prepare?: () => void;
  /** The numbers of its text. Long work tells how far it is. Once aborted, it leaves the view as it is. */
  values?: (
    reading: Reading,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ) => Promise<(string | number)[]>;
}

export type LessonName = keyof typeof words.lessons;

async function norm(reading: Reading, name: string, at: number): Promise<number> {
  const { data, shape } = await reading.tensor(name);
  const row = data.subarray(at * shape[1]!, (at + 1) * shape[1]!);
  return Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
}

/** Row `at` of the pattern of a head. */
async function attentionRow(reading: Reading, ofLayer: number, ofHead: number, at: number): Promise<Float32Array> {
  const { data, shape } = await reading.tensor(`blocks.${ofLayer}.attn.hook_pattern`);
  const start = (ofHead * shape[1]! + at) * shape[2]!;
  return data.subarray(start, start + at + 1);
}

function largest(row: Float32Array): number {
  return row.indexOf(row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY));
}

const untouched = () => {
  touches.value = [];
};

/** A text with a repetition, for heads that look for one. */
const repeated = () => {
  untouched();
  replaceText(words.repeatedText);
  lookAt({ position: undefined });
};

export const lessons: Record<LessonName, LessonStep[]> = {
  tokens: [
    {
      station: 'input',
      tensor: 'hook_embed',
      values: async ({ ids, texts }) => [texts.join('').length, ids.length, visible(texts.at(-1)!), ids.at(-1)!],
    },
  ],
  embeddings: [
    {
      station: 'input',
      tensor: 'hook_embed',
      values: async (run) => [run.model.config.nEmbd, visible(run.texts[position.value]!)],
    },
  ],
  positions: [
    { station: 'input', tensor: 'hook_pos_embed', values: async () => [position.value] },
    {
      station: 'input',
      tensor: 'blocks.0.hook_resid_pre',
      values: async (run) => [
        shortNumber(await norm(run, 'hook_embed', position.value)),
        shortNumber(await norm(run, 'hook_pos_embed', position.value)),
      ],
    },
  ],
  residual: [
    {
      station: 'block',
      tensor: 'blocks.N.hook_resid_pre',
      values: async (run) => [
        shortNumber(await norm(run, `blocks.${layer.value}.hook_resid_pre`, position.value)),
        shortNumber(await norm(run, `blocks.${layer.value}.hook_resid_post`, position.value)),
      ],
    },
    {
      station: 'block',
      tensor: 'blocks.N.ln1.hook_normalized',
      values: async (run) => {
        const { data } = await run.tensor(`blocks.${layer.value}.ln1.hook_scale`);
        return [shortNumber(data[position.value]!)];
      },
    },
  ],
  queries: [
    {
      station: 'block',
      tensor: 'blocks.N.attn.hook_q',
      values: async (run) => [run.model.config.nEmbd / run.model.config.nHead, head.value],
    },
    { station: 'block', tensor: 'blocks.N.attn.hook_k' },
    { station: 'block', tensor: 'blocks.N.attn.hook_v' },
  ],
  attention: [
    {
      station: 'block',
      tensor: 'blocks.N.attn.hook_pattern',
      values: async (run) => {
        const row = await attentionRow(run, layer.value, head.value, position.value);
        const most = largest(row);
        return [visible(run.texts[position.value]!), visible(run.texts[most]!), percent(row[most]!)];
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
      values: async (run) => {
        const { data, shape } = await run.tensor(`blocks.${layer.value}.mlp.hook_post`);
        const row = data.subarray(position.value * shape[1]!, (position.value + 1) * shape[1]!);
        return [shape[1]!, row.filter((x) => x > 0.1).length, largest(row), shortNumber(row[largest(row)]!)];
      },
    },
    { station: 'block', tensor: 'blocks.N.hook_mlp_out' },
  ],
  logits: [
    {
      station: 'output',
      tensor: 'logits',
      values: async (run) => {
        const { text, share } = await likeliestToken(run, position.value);
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
      values: async (run, _, signal) => {
        const [best] = await inductionHeads(run);
        signal.throwIfAborted();
        if (!best) return [words.noRepetition, '', '', ''];
        lookAt({ layer: best.layer, head: best.head, position: best.from });
        return [best.head, best.layer, percent(best.score), percent(best.even)];
      },
    },
  ],
  knockOut: [
    {
      station: 'touch',
      tensor: 'logits',
      prepare: () => {
        untouched();
        lookAt({ position: undefined });
      },
      values: async (run, onProgress, signal) => {
        const found = await mostImportantHead(run, onProgress, signal);
        signal.throwIfAborted();
        lookAt({ layer: found.layer, head: found.head });
        return [visible(found.text), percent(found.before), found.head, found.layer, percent(found.after)];
      },
    },
    {
      station: 'touch',
      tensor: 'logits',
      prepare: () => touch({ kind: 'head', layer: layer.value, head: head.value, factor: 0 }),
      values: async () => [head.value, layer.value],
    },
    { station: 'touch', tensor: 'logits', prepare: untouched },
  ],
};
