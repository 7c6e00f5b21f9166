// What WebAssembly can reach on this machine at all: reading memory, and arithmetic on 128-bit vectors, all threads at once.
import { compileString } from 'assemblyscript/asc';

const source = `
/** Sums [0, bytes) of the memory; the sum keeps the loads from being dropped. */
export function read(bytes: usize): f32 {
  let a = f32x4.splat(0), b = a, c = a, d = a;
  for (let at: usize = 0; at < bytes; at += 64) {
    a = f32x4.add(a, v128.load(at));
    b = f32x4.add(b, v128.load(at, 16));
    c = f32x4.add(c, v128.load(at, 32));
    d = f32x4.add(d, v128.load(at, 48));
  }
  return f32x4.extract_lane(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)), 0);
}

/** count times eight independent multiply-adds of four lanes: 64 operations a turn. */
export function multiplyAdd(count: i32): f32 {
  const x = f32x4.splat(0.999), y = f32x4.splat(0.001);
  let a = x, b = y, c = x, d = y, e = x, f = y, g = x, h = y;
  for (let i = 0; i < count; i++) {
    a = v128.relaxed_madd<f32>(a, x, y); b = v128.relaxed_madd<f32>(b, x, y);
    c = v128.relaxed_madd<f32>(c, x, y); d = v128.relaxed_madd<f32>(d, x, y);
    e = v128.relaxed_madd<f32>(e, x, y); f = v128.relaxed_madd<f32>(f, x, y);
    g = v128.relaxed_madd<f32>(g, x, y); h = v128.relaxed_madd<f32>(h, x, y);
  }
  const sum = f32x4.add(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)), f32x4.add(f32x4.add(e, f), f32x4.add(g, h)));
  return f32x4.extract_lane(sum, 0);
}`;

/** Base64 of the module; its memory of `megabytes` is its own. */
async function compile(megabytes) {
  const options = { optimizeLevel: 3, runtime: 'stub', noAssert: true, initialMemory: megabytes * 16 };
  const { error, binary, stderr } = await compileString(source, { ...options, enable: ['simd', 'relaxed-simd'] });
  if (error) throw new Error(`The roofline's kernels do not compile.\n${stderr}`);
  return Buffer.from(binary).toString('base64');
}

/** Runs in a worker of the page. Rates of one thread: bytes read and operations done a second. */
const worker = `onmessage = async ({ data: { binary, bytes, kind } }) => {
  const module = await WebAssembly.instantiate(Uint8Array.from(atob(binary), (c) => c.charCodeAt(0)), { env: { abort() {} } });
  const { read, multiplyAdd, memory } = module.instance.exports;
  new Float32Array(memory.buffer).fill(1e-6); // pages are there once they were written
  const run = { read: () => (read(bytes), bytes), multiplyAdd: () => (multiplyAdd(1e6), 64e6) }[kind];
  run();
  postMessage('ready');
  onmessage = () => {
    let done = 0;
    const start = performance.now();
    while (performance.now() - start < 200) done += run();
    postMessage((done / (performance.now() - start)) * 1000);
  };
};`;

/** Bytes and floating-point operations a second of `threads` together, in a cross-origin isolated page. */
export async function roofline(page, threads) {
  const megabytes = 256;
  const binary = await compile(megabytes);
  const rate = (kind) =>
    page.evaluate(
      async ({ worker, threads, job }) => {
        const url = URL.createObjectURL(new Blob([worker], { type: 'text/javascript' }));
        const workers = Array.from({ length: threads }, () => new Worker(url));
        const answers = () => Promise.all(workers.map((each) => new Promise((resolve) => (each.onmessage = resolve))));
        const ready = answers();
        for (const each of workers) each.postMessage(job);
        await ready;
        const rates = answers();
        for (const each of workers) each.postMessage('go');
        const sum = (await rates).reduce((total, { data }) => total + data, 0);
        for (const each of workers) each.terminate();
        return sum;
      },
      { worker, threads, job: { binary, kind, bytes: (megabytes - 1) << 20 } },
    );
  // The best of several: whatever else runs can only make it slower.
  const best = async (kind) => {
    const rates = [];
    for (let run = 0; run < 6; run++) rates.push(await rate(kind));
    return Math.max(...rates);
  };
  return { threads, bytesPerSecond: await best('read'), flopsPerSecond: await best('multiplyAdd') };
}
