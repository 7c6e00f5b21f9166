import { requestDevice } from '../../src/gpu/device.ts';
import { load, type Model, type Source } from '../../src/index.ts';
import type { Open } from '../adapters/adapter.d.ts';
import { copyBandwidth } from '../bandwidth.ts';
import { count } from '../count.mjs';
import { countingDevice } from '../counting-device.ts';
import { measure } from '../measure.mjs';
import type { Format, Job, Machine, Measured, Message } from './protocol.ts';
import { type Shape, seededModel } from './seeded-model.ts';
import { timeVariants } from './variants.ts';

const post = (message: Message) => postMessage(message);

addEventListener('message', ({ data }: MessageEvent<Job>) => {
  run(data).then(
    () => post({ kind: 'done' }),
    (error: unknown) => post({ kind: 'failed', text: error instanceof Error ? error.message : String(error) }),
  );
});

const isShape = (model: Source | Shape): model is Shape => typeof model === 'object' && 'layers' in model;

async function run({ model, formats, variants, plan }: Job): Promise<void> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  const machine = describe(adapter ?? undefined);
  post({ kind: 'machine', machine });
  if (isShape(model)) post({ kind: 'progress', text: 'making up the weights' });
  const source = isShape(model) ? seededModel(model) : model;
  const device = await adapter?.requestDevice();
  const copyBytesPerSecond = device && (await copyBandwidth(device));
  device?.destroy();
  for (const format of formats) post({ kind: 'row', row: await measureRow(source, format, plan, copyBytesPerSecond) });
  if (!variants || !isShape(model) || !adapter) return;
  const { device: own } = await requestDevice(2 ** 28);
  try {
    for (const format of formats) {
      post({ kind: 'progress', text: `${format}: every variant of the kernels` });
      const times = timeVariants(own, model, format, machine.software ? 2 : 50);
      for await (const variant of times) {
        post({ kind: 'variant', variant });
        post({ kind: 'progress', text: `every variant of the kernels: ${variant.name}` });
      }
    }
  } finally {
    own.destroy();
  }
}

function describe(adapter: GPUAdapter | undefined): Machine {
  const info = adapter?.info;
  const words = [info?.vendor, info?.architecture, info?.device, info?.description].filter(Boolean);
  const name = words.join(' ') || (adapter ? 'a WebGPU adapter without a name' : 'no WebGPU: WebAssembly');
  return {
    adapter: name,
    software: !adapter || info?.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe/i.test(name),
    browser: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** Times the model in one format, and counts what its tokens ask of the GPU where there is one (undefined: there is none). */
async function measureRow(
  source: Source,
  weights: Format,
  plan: Job['plan'],
  copyBytesPerSecond: number | undefined,
): Promise<Measured> {
  const device = copyBytesPerSecond === undefined ? 'wasm' : 'webgpu';
  let opened: Model | undefined;
  const open: Open = async () => {
    opened = await load(source, { device, dtype: weights, cache: false });
    return peerOf(opened);
  };
  const row = { adapter: 'vitrine', source: '', device, weights, threads: navigator.hardwareConcurrency } as const;
  const words = Array.from({ length: 50000 }, (_, id) => [id, ''] as const);
  const onProgress = (step: string, ms: number) =>
    post({ kind: 'progress', text: `${weights}: ${step}, ${ms.toFixed(1)} ms` });
  const times = await measure(open, row, { ...plan, words, onProgress });
  const measured = { ...row, ...times, name: `${device} ${weights}`, bytes: opened!.device.bytes };
  if (copyBytesPerSecond === undefined) return measured;
  onProgress('counting', 0);
  const counts = await count(open, row, { tokens: plan.decodeTokens, words, countingDevice });
  return { ...measured, counts, copyBytesPerSecond };
}

function peerOf(model: Model): Awaited<ReturnType<Open>> {
  return {
    about: `${model.device.adapter}, ${model.device.dtype}`,
    async generate({ ids }, count, onToken) {
      let made = 0;
      for await (const { id } of model.generate(ids, { maxNewTokens: count, eosTokenId: null })) {
        onToken(id);
        made++;
      }
      return made;
    },
    close: () => model.dispose(),
  };
}
