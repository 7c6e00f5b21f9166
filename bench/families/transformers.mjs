// transformers.js, on the onnxruntime-web that it brings along: `open` gives the ways to run a case, of which the best counts.
import {
  AutoModel,
  AutoModelForImageClassification,
  AutoModelForSeq2SeqLM,
  env,
  pipeline,
  Tensor,
} from '../node_modules/@huggingface/transformers/dist/transformers.min.js';
import { embeddingOf } from './pooling.mjs';

const int64 = (values, dims) => new Tensor('int64', BigInt64Array.from(values, BigInt), dims);

/** Texts of ids, padded to the longest: one embedding each. */
async function embed(model, texts) {
  const longest = Math.max(...texts.map(({ length }) => length));
  const dims = [texts.length, longest];
  const padded = (of) =>
    int64(
      texts.flatMap((ids) => Array.from({ length: longest }, (_, i) => of(ids, i))),
      dims,
    );
  const { last_hidden_state } = await model({
    input_ids: padded((ids, i) => ids[i] ?? 0),
    attention_mask: padded((ids, i) => Number(i < ids.length)),
    token_type_ids: padded(() => 0),
  });
  const { data } = last_hidden_state;
  const width = data.length / texts.length / longest;
  const embeddings = texts.map((ids, at) => embeddingOf(data, ids.length, width, at * longest * width));
  last_hidden_state.dispose();
  return embeddings;
}

/** One by one, and for several texts as a padded batch too. */
const bothWays = (run) => ({
  async 'one by one'(input) {
    const found = [];
    for (const text of input.texts) found.push(...(await run([text])));
    return found;
  },
  batch: ({ texts }) => (texts.length > 1 ? run(texts) : undefined),
});

const kinds = {
  async ids(name, options) {
    const model = await AutoModel.from_pretrained(name, options);
    return { model, ways: bothWays((texts) => embed(model, texts)) };
  },
  async texts(name, options) {
    const model = await pipeline('feature-extraction', name, options);
    const run = async (texts) => {
      const found = await model(texts, { pooling: 'mean', normalize: true });
      const [rows, width] = found.dims;
      return Array.from({ length: rows }, (_, row) => found.data.slice(row * width, (row + 1) * width));
    };
    return { model, ways: bothWays(run) };
  },
  /** It has no beam search: copies of the text, each continued greedily, are the work of as many beams without their choice. */
  async translation(name, options) {
    const model = await AutoModelForSeq2SeqLM.from_pretrained(name, options);
    const run = async ({ texts: [ids], tokens, beams }) => {
      const row = (values) => int64(Array(beams).fill(values).flat(), [beams, values.length]);
      const found = await model.generate({
        inputs: row(ids),
        attention_mask: row(ids.map(() => 1)),
        max_new_tokens: tokens,
        min_new_tokens: tokens,
        do_sample: false,
        num_beams: 1,
      });
      return [found.tolist()[0].slice(1).map(Number)];
    };
    return { model, ways: { 'transformers.js': run } };
  },
  async image(name, options) {
    const model = await AutoModelForImageClassification.from_pretrained(name, options);
    const run = async ({ pixels, shape }) => {
      const { logits } = await model({ pixel_values: new Tensor('float32', pixels, [1, ...shape]) });
      return [Float32Array.from(logits.data)];
    };
    return { model, ways: { 'transformers.js': run } };
  },
};

export async function open({ kind, source, device, dtype, threads }) {
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, useBrowserCache: false, useWasmCache: false });
  env.localModelPath = new URL('..', source).pathname; // it looks for a tokenizer by paths alone
  const runtime = '../node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist/';
  Object.assign(env.backends.onnx.wasm, { numThreads: threads, wasmPaths: new URL(runtime, import.meta.url).href });
  const name = new URL(source).pathname.split('/').at(-2);
  const { model, ways } = await kinds[kind](name, { device, dtype });
  return { about: `transformers.js ${env.version}`, ways, close: () => model.dispose() };
}
