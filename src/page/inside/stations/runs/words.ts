import type { ForwardOp } from '../../../../plan/plan.ts';

/** The words of the station that shows how the model runs. */
export const words = {
  station: ['How it runs', 'The kernels that compute all this, and the time each one takes here.'] as [
    title: string,
    summary: string,
  ],
  measuring: 'Measuring every step…',
  failed: (why: string) => `The steps could not be measured: ${why}`,
  title: 'Where the time of a token goes',
  note: (position: number, before: number) =>
    `Token ${position} of your text is run again, step by step, with the ${before} before it in the cache: what each generated token costs, but for the choice of it.`,
  clock: {
    gpu: (repeats: number) => `Measured by the GPU's own clock, each step ${repeats} times in a row.`,
    wall: (repeats: number) => `Measured by the clock of this computer, each step ${repeats} times in a row.`,
  },
  total: (time: string, rate: string) => `${time} for a token, ${rate} a second.`,
  again: 'Measure again',
  changed: 'Your text has changed since.',
  chart: 'Share of each part',
  columns: { part: 'Step', count: 'Runs', blocks: 'In each block', time: 'Time', share: 'Share' },
  inBlock: (layer: number, time: string) => `block ${layer}: ${time}`,
  blocks: (least: string, most: string) => `from ${least} to ${most} a block`,
  once: 'once',
  times: (count: number) => `${count} ×`,
  sources: {
    wgsl: 'On the GPU, in WGSL',
    wasm: 'In WebAssembly (AssemblyScript)',
    cpu: 'Its twin on the CPU',
  },
  notes: { wasm: 'What runs here, on threads.', cpu: 'Plain and in doubles: what every kernel is tested against.' },
  compiled: 'As it was compiled here: these files, one behind the other.',
  elsewhere: 'What WebGPU would run.',
  reading: 'Reading the source…',
  noSource: 'The source could not be read. Reload the page to try again.',
  milliseconds: (ms: string) => `${ms} ms`,
  microseconds: (us: string) => `${us} µs`,
  rootNorm: 'RMSNorm',
  rootNormScale: 'RMSNorm: scale',
  multiply: 'Multiply',
  /** What a step does, by its op. */
  ops: {
    embed: 'Embeddings',
    input: 'Input',
    binary: 'Add',
    normScale: 'LayerNorm: scale',
    norm: 'LayerNorm',
    selectRows: 'Last row',
    linear: 'Product',
    rotate: 'Rotary positions',
    rotateAppend: 'Rotary, cache',
    cacheAppend: 'Cache',
    attentionScores: 'Attention scores',
    maskedSoftmax: 'Mask and softmax',
    attentionMix: 'Values mixed',
    attention: 'Attention',
    activation: 'Activation',
    edit: 'Edit',
  } satisfies Record<ForwardOp, string>,
  /** What a lookup in one table is, by what it goes. */
  lookups: { token: 'Token embedding', position: 'Position embedding', segment: 'Segment embedding' },
  /** What a product is of, by the end of its weight's name. */
  products: {
    'attn.c_attn.weight': 'Q, K, V',
    'attn.c_proj.weight': 'Attention out',
    'mlp.c_fc.weight': 'MLP up',
    'mlp.c_proj.weight': 'MLP down',
    'wte.weight': 'Logits',
    'lm_head.weight': 'Logits',
  } as Record<string, string>,
};
