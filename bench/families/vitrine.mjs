// Vitrine by its public API: `open` gives the ways to run a case, here one.
import { loadEncoder, loadEncoderDecoder, loadVision } from '../../dist/vitrine.js';
import { embeddingOf } from './pooling.mjs';

const kinds = {
  ids: {
    load: loadEncoder,
    async run(model, { texts }) {
      const { hidden } = await model.run(texts.map((ids) => ({ ids })));
      return hidden.map(({ data, shape: [rows, width] }) => embeddingOf(data, rows, width));
    },
    profile: (model, { texts: [ids] }, options) => model.profile({ ids }, options),
  },
  texts: {
    load: loadEncoder,
    run: (model, { texts }) => model.embed(texts),
    profile: (model, { texts: [text] }, options) => model.profile(text, options),
  },
  translation: {
    load: loadEncoderDecoder,
    async run(model, { texts: [ids], tokens, beams }) {
      const options = { maxNewTokens: tokens, eosTokenId: null, numBeams: beams };
      return [(await model.complete(ids, options)).ids];
    },
    profile: (model, { texts: [ids], tokens }, options) =>
      model.profile({ source: ids, target: ids.slice(0, tokens / 2) }, options),
  },
  image: {
    load: loadVision,
    run: async (model, input) => [(await model.run(input)).logits.data],
    profile: (model, input, options) => model.profile(input, options),
  },
};

export async function open({ kind, source, device, format, threads }) {
  const { load, run, profile } = kinds[kind];
  const model = await load(source, { device, dtype: format, cache: false, ...(device === 'wasm' && { threads }) });
  return {
    about: `${model.device.adapter}, ${model.device.dtype}`,
    ways: { vitrine: (input) => run(model, input) },
    profile: (input, options) => profile(model, input, options),
    close: () => model.dispose(),
  };
}
