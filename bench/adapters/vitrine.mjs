// Vitrine by its public API, in browsers and in Node.
import { load } from '../../dist/vitrine.js';

/** @type {import('./adapter.d.ts').Open} */
export async function open({ source, device, weights, recompute }) {
  const model = await load(source, { device, dtype: weights, cache: false });
  return {
    about: `${model.device.adapter}, ${model.device.dtype}`,
    generate: recompute ? recomputing(model) : caching(model),
    close: () => model.dispose(),
  };
}

const caching =
  (model) =>
  async ({ ids }, count, onToken) => {
    let made = 0;
    for await (const { id } of model.generate(ids, { maxNewTokens: count, eosTokenId: null })) {
      onToken(id);
      made++;
    }
    return made;
  };

/** As WebGPT generates: the whole text is run again for every token. Asking for position 0 keeps the cache out of it. */
const recomputing =
  (model) =>
  async ({ ids }, count, onToken) => {
    const text = [...ids];
    for (let i = 0; i < count; i++) {
      const { data } = await model.logits(text, { positions: [0, -1] });
      const last = data.subarray(data.length / 2);
      const id = last.indexOf(last.reduce((most, value) => Math.max(most, value)));
      onToken(id);
      text.push(id);
    }
    return count;
  };
