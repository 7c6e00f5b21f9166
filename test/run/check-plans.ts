import { llamaPlan } from '../../src/model/llama.ts';
import { PlanBuilder } from '../../src/plan/builder.ts';
import type { Norm, Plan } from '../../src/plan/plan.ts';

const [width, nHead, headDim, nCtx, vocabSize] = [32, 4, 8, 24, 150];
const heads = [nHead, headDim] as const;

/** A block of a text encoder: post-norm, segments, and a head that names masked words. */
export function encoderPlan(width = 32): Plan {
  const heads = [nHead, width / nHead] as const;
  const b = new PlanBuilder();
  const norm = (hook: string, x: string) => {
    const [weight, bias] = [b.vector(`${hook}.weight`, width), b.vector(`${hook}.bias`, width)];
    return b.norm(hook, x, { weight, bias, epsilon: 1e-12, centred: true });
  };
  const words = b.matrix('words', vocabSize, width);
  const tokens = b.embed('tokens', { weight: words, by: 'token' });
  const positions = b.embed('positions', { weight: b.matrix('positions', nCtx + 2, width), by: 'position', first: 2 });
  const segments = b.embed('segments', { weight: b.matrix('types', 2, width), by: 'segment' });
  let x = norm('embed.ln', b.add('all', b.add('both', tokens, positions), segments));
  const layer = b.layers('attn', ['q', 'k', 'v'], width, [width, width, width]);
  const outputs = (['q', 'k', 'v'] as const).map((name) => [name, ...heads] as const);
  const [q, k, v] = b.linear(x, layer, ...outputs) as [string, string, string];
  const keys = b.source('keys', { nHead, headDim: width / nHead, axis: 'rows' });
  b.append(k, v, keys);
  const z = b.attention('attn', q, keys, (width / nHead) ** -0.5);
  const [out] = b.linear(z, b.layer('attn.out', width, width), ['attn.out', width]);
  x = norm('ln1', b.add('mid', x, out!));
  const [pre] = b.linear(x, b.layer('mlp.in', width, 48), ['pre', 48]);
  const [post] = b.linear(b.activate('post', 'gelu', pre!), b.layer('mlp.out', 48, width), ['mlp', width]);
  x = norm('ln2', b.add('resid', x, post!));
  const [dense] = b.linear(b.select('selected', x), b.layer('head', width, width), ['dense', width]);
  const active = norm('head.ln', b.activate('active', 'gelu', dense!));
  b.linear(active, { weight: words, bias: b.vector('head.decoder', vocabSize) }, ['logits', vocabSize]);
  return b.plan({ nCtx, vocabSize });
}

/** A block of a decoder whose heads are normed and turned, with a gated MLP. */
export function rotaryPlan(): Plan {
  return llamaPlan({
    ...{ modelType: 'qwen3', nLayer: 1, nHead, nKeyHead: 2, headDim, nEmbd: width, nInner: 40, nCtx, vocabSize },
    ...{ activation: 'silu', rmsNormEpsilon: 1e-6, rotary: { frequencies: [1, 0.5, 0.1], factor: 1 }, windows: [9] },
    ...{ biases: { qkv: true, out: false, mlp: true }, normsHeads: true, tieWordEmbeddings: true },
    ...{ bosTokenId: null, padTokenId: undefined, eosTokenIds: [] },
  });
}

/** A block each of an encoder of patches and of a decoder that reads its memory: root mean squares, distances, gates, shared keys. */
export function encoderDecoderPlan(): Plan {
  const b = new PlanBuilder();
  const norm = (hook: string, x: string) => {
    const rms: Norm = { weight: b.vector(`${hook}.weight`, width), epsilon: 1e-6, centred: false };
    return b.norm(hook, x, rms);
  };
  const bare = { bias: false };
  const gated = (hook: string, x: string) => {
    const n = norm(`${hook}.ln`, x);
    const [gate] = b.linear(n, b.layer(`${hook}.gate`, width, 40, bare), [`${hook}.gate`, 40]);
    const [up] = b.linear(n, b.layer(`${hook}.up`, width, 40, bare), [`${hook}.up`, 40]);
    const both = b.multiply(`${hook}.both`, b.activate(`${hook}.active`, 'silu', gate!), up!);
    const [down] = b.linear(both, b.layer(`${hook}.down`, 40, width, bare), [`${hook}.out`, width]);
    return b.add(`${hook}.resid`, x, down!);
  };
  const attend = (hook: string, x: string, axis: 'rows' | 'context') => {
    const kvHeads = axis === 'rows' ? nHead : 2;
    const kv = [kvHeads, headDim] as const;
    const widths = [width, kvHeads * headDim, kvHeads * headDim];
    const layer = b.layers(hook, ['q', 'k', 'v'], width, widths, false);
    const shapes = [[`${hook}.q`, ...heads] as const, [`${hook}.k`, ...kv] as const, [`${hook}.v`, ...kv] as const];
    const [q, k, v] = b.linear(norm(`${hook}.ln`, x), layer, ...shapes) as [string, string, string];
    const keys = b.source(`${hook}.keys`, { nHead: kvHeads, headDim, axis });
    b.append(k, v, keys);
    const bias = b.matrix(`${hook}.bias`, nHead, 9);
    const z = b.attention(hook, q, keys, 1, { bias });
    const [out] = b.linear(z, b.layer(`${hook}.out`, width, width, bare), [`${hook}.out`, width]);
    return b.add(`${hook}.resid`, x, out!);
  };
  const [patches] = b.linear(b.input('patches', 20), b.layer('patch', 20, width), ['embed', width]);
  const encoded = norm('encoder.final', gated('encoder.mlp', attend('encoder.attn', patches!, 'rows')));
  const kv = b.layers('cross', ['k', 'v'], width, [width, width], false);
  const [k, v] = b.linear(encoded, kv, ['cross.k', ...heads], ['cross.v', ...heads]) as [string, string];
  const memory = b.source('memory', { nHead, headDim, axis: 'source' });
  b.append(k, v, memory);
  b.endEncoder();

  const words = b.matrix('words', vocabSize, width);
  let x = attend('attn', b.embed('tokens', { weight: words, by: 'token', scale: 2 }), 'context');
  const [q] = b.linear(norm('cross.ln', x), b.layer('cross.q', width, width, bare), ['cross.q', ...heads]);
  const z = b.attention('cross', q!, memory, 1);
  const [out] = b.linear(z, b.layer('cross.out', width, width, bare), ['cross.out', width]);
  x = gated('mlp', b.add('cross.resid', x, out!));
  b.linear(b.select('selected', norm('final', x)), { weight: words }, ['logits', vocabSize]);
  return b.plan({ nCtx, vocabSize });
}
