import { isObject } from '../../load/files.ts';
import type { PoolingMode } from '../../model/sentence.ts';
import { badOption } from '../../plan/error.ts';
import { joined } from '../../plan/plan.ts';
import { type AnswerOptions, answerChecks } from '../answer.ts';
import { type Check, integer, isString, listOf, oneOf, refuse } from '../check.ts';
import { type ClassifyOptions, classLogits, sigmoid } from '../classify.ts';
import { cutOfWhole } from '../embed.ts';
import type { Encoder } from '../encoder.ts';
import type { EncoderWords } from '../encoder-input.ts';
import { type FillOptions, fillAll } from '../fill.ts';
import { type HeadOptions, headChecks, needHead, softmax, using } from '../heads.ts';
import { loadEncoder } from '../load-encoder.ts';
import { type TagOptions, tagAll } from '../tag.ts';
import { classSettings, each, readSettings, type Task } from './task.ts';
import { PipelineTensor, quantized } from './tensor.ts';

type EncoderTask = Task<Encoder>;

const flag = oneOf(true, false);
const isLabels: Check = { expects: 'a list of labels, or one text with commas', accepts: (value) => value !== null };

export const fillMask: EncoderTask = {
  load: loadEncoder,
  suits: ({ config }) => needHead(config, 'masked-words'),
  async call(model, [texts, options]) {
    const checks = {
      topK: classSettings.topK,
      targets: { expects: 'words', accepts: (value: unknown) => [value].flat().every(isString.accepts) },
      ...headChecks,
    };
    const { topK: most = 5, targets, ...rest } = readSettings('fill-mask', options, checks);
    const settings = { ...rest, topK: most ?? 5, ...(targets !== undefined && { targets: [targets].flat() }) };
    const { decode, padId } = model.tokenizer;
    return each(texts as string, async (list) => {
      const filled = await model[using]((headed) => fillAll(headed, list, settings as FillOptions));
      return filled.map((masks) => {
        // As in Python: pads go, and special tokens stay where they show which of several masks is meant.
        const special = masks.length > 1;
        const found = masks.map(({ ids, at, found }) =>
          found.map(({ id, score }) => {
            const put = ids.map((one, i) => (i === at ? id : one)).filter((one) => one !== padId);
            return { score, token: id, token_str: decode([id]), sequence: decode(put, { special }) };
          }),
        );
        return special ? found : found[0];
      });
    });
  },
};

function refuseMore(more: object, expected: string): void {
  for (const name of Object.keys(more)) throw refuse('input', name, expected);
}

/** Python's `{ text, text_pair }` for two texts, or ours. */
function pairOf(input: unknown): EncoderWords {
  if (!isObject(input)) return input as EncoderWords;
  const { text, ['text_pair' in input ? 'text_pair' : 'pair']: pair, ...more } = input;
  refuseMore(more, 'text and text_pair');
  return { text: text as string, ...(pair !== undefined && { pair: pair as string }) };
}

export const textClassification: EncoderTask = {
  load: loadEncoder,
  suits: ({ config }) => needHead(config, 'classes'),
  async call(model, [texts, options]) {
    const settings = readSettings('text-classification', options, { ...classSettings, ...headChecks });
    const { topK: most = 1, functionToApply: scores, ...rest } = settings;
    const own = {
      ...rest,
      ...(scores !== null && { scores }),
      ...(most !== null && { topK: most }),
    } as ClassifyOptions;
    const found = await model.classify([texts].flat().map(pairOf), own);
    // As transformers.js has it: one class a text makes a list of classes, whatever was given.
    return most === 1 ? found.flat() : Array.isArray(texts) ? found : found[0];
  },
};

export const tokenClassification: EncoderTask = {
  load: loadEncoder,
  suits: ({ config }) => needHead(config, 'token-classes'),
  async call(model, [texts, options]) {
    const checks = {
      aggregationStrategy: oneOf('none', 'simple', 'first', 'average', 'max'),
      ignoreLabels: listOf('names of classes', (label) => typeof label === 'string'),
      ...headChecks,
    };
    const settings = readSettings('token-classification', options, checks);
    const { aggregationStrategy: aggregate = 'none', ...rest } = settings;
    return each(texts as string, async (list) => {
      const tagging = { ...rest, aggregate } as TagOptions;
      const found = await model[using]((headed) => tagAll(headed, list, tagging));
      return found.map((entities) =>
        entities.map(({ label, index, score, ...where }) =>
          aggregate === 'none' ? { entity: label, score, index, ...where } : { entity_group: label, score, ...where },
        ),
      );
    });
  },
};

export const questionAnswering: EncoderTask = {
  load: loadEncoder,
  suits: ({ config }) => needHead(config, 'answers'),
  async call(model, [first, ...more]) {
    // Python gives { question, context }, or a list of them; transformers.js the two behind one another.
    const asked = Array.isArray(first) ? first[0] : first;
    const isPaired = isObject(asked);
    const [contexts, options] = isPaired ? [undefined, more[0]] : more;
    const { topK: most = 1, ...rest } = readSettings('question-answering', options, answerChecks);
    const settings = { topK: most, ...rest } as AnswerOptions;
    const questions = [first].flat();
    if (Array.isArray(contexts) && contexts.length !== questions.length) {
      const message = `question-answering got questions: ${questions.length}, contexts: ${contexts.length}`;
      throw badOption(`${message}; expected as many of both, or one context.`);
    }
    const list = questions.map((one, i) => {
      if (isPaired && isObject(one)) return one;
      return { question: one, context: Array.isArray(contexts) ? contexts[i] : contexts };
    });
    for (const { question, context, ...others } of list) refuseMore(others, 'question and context');
    const found = [];
    for (const { question, context } of list) {
      const answers = await model.answer(question as string, context as string, settings);
      const best = answers.map(({ score, start, end, answer }) => ({ score, start, end, answer }));
      found.push(most === 1 ? (best[0] ?? { score: 0, start: 0, end: 0, answer: '' }) : best);
    }
    return Array.isArray(first) ? found : found[0];
  },
};

export const zeroShotClassification: EncoderTask = {
  load: loadEncoder,
  suits: ({ config }) => needHead(config, 'classes'),
  async call(model, [texts, ...args]) {
    const task = 'zero-shot-classification';
    // Python gives the labels as an option, transformers.js as the second argument.
    const [given, options] = isObject(args[0]) ? [undefined, args[0]] : args;
    const checks = { candidateLabels: isLabels, hypothesisTemplate: isString, multiLabel: flag, ...headChecks };
    const settings = readSettings(task, options, checks);
    const { candidateLabels = given, hypothesisTemplate = 'This example is {}.', multiLabel, ...rest } = settings;
    if (given !== undefined && settings.candidateLabels !== undefined)
      throw badOption(`${task} got candidateLabels twice, as an argument and as an option.`);
    const isText = typeof candidateLabels === 'string';
    // As in Python: nothing between two commas is no label.
    const labels = isText ? candidateLabels.split(',').flatMap((label) => label.trim() || []) : candidateLabels;
    if (!Array.isArray(labels) || labels.length === 0 || !labels.every(isString.accepts)) {
      throw refuse('candidateLabels', candidateLabels, isLabels.expects);
    }
    const template = hypothesisTemplate as string;
    if (!template.includes('{}')) throw refuse('hypothesisTemplate', template, 'a text with {} where the label stands');
    return each(texts as string, async (list) => {
      const pairs = list.flatMap((text) =>
        labels.map((label: string) => ({ text, pair: template.replace('{}', () => label) })),
      );
      const logits = await model[using]((headed) => classLogits(headed, pairs, rest, { truncation: 'only_first' }));
      return list.map((sequence, i) => {
        const own = logits.slice(i * labels.length, (i + 1) * labels.length);
        const scores = zeroShotScores(own, model.config.labels, multiLabel === true);
        const order = [...labels.keys()].sort((a, b) => scores[b]! - scores[a]!);
        return { sequence, labels: order.map((j) => labels[j]), scores: order.map((j) => scores[j]!) };
      });
    });
  },
};

/** How well each label fits, by what the model says of its sentence: whether the text entails it. */
function zeroShotScores(logits: readonly Float64Array[], labels: readonly string[], multiLabel: boolean): number[] {
  const found = labels.findIndex((label) => /^entail/i.test(label));
  const entails = found < 0 ? labels.length - 1 : found;
  const contradicts = entails === 0 ? labels.length - 1 : 0;
  if (!multiLabel && logits.length > 1) return [...softmax(logits.map((row) => row[entails]!))];
  return logits.map((row) => sigmoid(row[entails]! - row[contradicts]!));
}

/** transformers.js's names of poolings, and ours. `auto` is what the folder's files say, `none` every token's vector. */
const poolings: Record<string, PoolingMode | undefined> = {
  none: undefined,
  auto: undefined,
  mean: 'mean',
  cls: 'cls',
  first_token: 'cls',
  last_token: 'lasttoken',
  eos: 'lasttoken',
  max: 'max',
  mean_sqrt_len: 'mean_sqrt_len',
  weightedmean: 'weightedmean',
  lasttoken: 'lasttoken',
};

export const featureExtraction: EncoderTask = {
  load: loadEncoder,
  async call(model, [texts, options]) {
    const task = 'feature-extraction';
    const checks = {
      pooling: oneOf(...Object.keys(poolings)),
      normalize: flag,
      quantize: flag,
      precision: oneOf('binary', 'ubinary'),
      prompt: { expects: 'a string', accepts: (value: unknown) => typeof value === 'string' },
      dimensions: integer(1),
      signal: headChecks.signal,
    };
    const settings = readSettings(task, options, checks);
    const { pooling = 'none', quantize, precision = 'binary', normalize, ...rest } = settings;
    const list = [texts].flat() as string[];
    if (pooling === 'none') {
      for (const name of ['normalize', 'quantize', 'prompt', 'dimensions']) {
        if (settings[name]) throw refuse(name, settings[name], 'nothing without pooling');
      }
      return tokenVectors(model, list, rest);
    }
    const mode = poolings[pooling as string];
    const vectors = await model.embed(list, {
      ...rest,
      ...(mode && { pooling: mode }),
      ...(pooling === 'auto' && normalize === undefined ? {} : { normalize: normalize === true }),
    });
    const tensor = new PipelineTensor(joined(vectors), [vectors.length, vectors[0]?.length ?? 0]);
    return quantize ? quantized(tensor, precision as 'binary' | 'ubinary') : tensor;
  },
};

/** [texts, tokens of the longest, width], 0 behind shorter ones. Texts are cut where embeddings of them would be. */
async function tokenVectors(model: Encoder, texts: readonly string[], { signal }: HeadOptions) {
  const width = model.config.nEmbd;
  return model[using](async (headed) => {
    const { reader, runs, hidden } = headed;
    const read = texts.map((text, i) => reader.words(text, i, cutOfWhole(headed)));
    const rows = await runs.run(read, { capture: [hidden] }, signal, ({ captured }) => captured.get(hidden)!);
    const longest = Math.max(0, ...read.map(({ length }) => length));
    const data = new Float32Array(texts.length * longest * width);
    for (const [i, values] of rows.entries()) data.set(values, i * longest * width);
    return new PipelineTensor(data, [texts.length, longest, width]);
  });
}
