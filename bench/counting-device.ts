/** What a device was asked to do since the last reset. */
export interface DeviceCounts {
  dispatches: number;
  passes: number;
  submits: number;
  /** Submits of nothing (see src/gpu/nudge.ts). */
  nudges: number;
  /** mapAsync calls: each is a promise and a readback. */
  maps: number;
  writes: number;
  /** createBuffer, createBindGroup, createComputePipeline... all but command encoders, which WebGPU needs one a submit. */
  creations: number;
  encoders: number;
  /** Compute pipelines, which are among the creations too. */
  pipelines: number;
  /** Bytes of the buffers made before `loaded()` that dispatches had bound, at every dispatch again: weights, in short. */
  weightBytes: number;
}

export interface CountingDevice {
  /** Stands in for the device everywhere. */
  device: GPUDevice;
  counts: DeviceCounts;
  reset(): void;
  /** To be called when the model is loaded: what was made until now are its weights. */
  loaded(): void;
  /** Buffers made and not yet destroyed, with their sizes. */
  liveBuffers: ReadonlyMap<GPUBuffer, number>;
}

/** Wraps a device so that everything asked of it is counted; what it does stays the same. */
export function countingDevice(real: GPUDevice): CountingDevice {
  const counts: DeviceCounts = {
    dispatches: 0,
    passes: 0,
    submits: 0,
    nudges: 0,
    maps: 0,
    writes: 0,
    creations: 0,
    encoders: 0,
    pipelines: 0,
    weightBytes: 0,
  };
  const liveBuffers = new Map<GPUBuffer, number>();
  const weights = new WeakSet<GPUBuffer>();
  /** Bytes of weights in each bind group. */
  const boundBytes = new WeakMap<GPUBindGroup, number>();

  /** Counts a call, then makes it. */
  const counted = (key: keyof DeviceCounts) => (call: () => unknown) => {
    counts[key] += 1;
    return call();
  };
  const pass = (target: GPUComputePassEncoder) => {
    const groups = new Map<unknown, number>();
    const dispatched = (call: () => unknown) => {
      for (const bytes of groups.values()) counts.weightBytes += bytes;
      return counted('dispatches')(call);
    };
    return intercept(target, {
      setBindGroup(call, [index, group]) {
        groups.set(index, boundBytes.get(group as GPUBindGroup) ?? 0);
        return call();
      },
      dispatchWorkgroups: dispatched,
      dispatchWorkgroupsIndirect: dispatched,
    });
  };
  const encoder = (target: GPUCommandEncoder) =>
    intercept(target, { beginComputePass: (call) => pass(counted('passes')(call) as GPUComputePassEncoder) });
  const queue = intercept(real.queue, {
    submit: (call, [commands]) => counted((commands as unknown[]).length > 0 ? 'submits' : 'nudges')(call),
    writeBuffer: counted('writes'),
  });

  const buffer = (made: GPUBuffer): GPUBuffer => {
    liveBuffers.set(made, made.size);
    const [mapAsync, destroy] = [made.mapAsync.bind(made), made.destroy.bind(made)];
    // In place: native calls take the buffer itself, not a stand-in.
    made.mapAsync = (...args: Parameters<typeof mapAsync>) =>
      counted('maps')(() => mapAsync(...args)) as Promise<undefined>;
    made.destroy = () => {
      liveBuffers.delete(made);
      return destroy();
    };
    return made;
  };

  const created =
    <T>(after: (made: T) => T = (made) => made) =>
    (call: () => unknown): T => {
      counts.creations += 1;
      return after(call() as T);
    };
  const device = intercept(
    real,
    {
      createBuffer: created(buffer),
      createBindGroup(call, [descriptor]) {
        const group = created<GPUBindGroup>()(call);
        boundBytes.set(group, weightBytesOf(descriptor as GPUBindGroupDescriptor, weights));
        return group;
      },
      createBindGroupLayout: created(),
      createPipelineLayout: created(),
      createComputePipeline: created(),
      createComputePipelineAsync(call) {
        counts.pipelines += 1;
        return created()(call);
      },
      createShaderModule: created(),
      createQuerySet: created(),
      createTexture: created(),
      createSampler: created(),
      createCommandEncoder: (call) => encoder(counted('encoders')(call) as GPUCommandEncoder),
    },
    { queue },
  );
  return {
    device,
    counts,
    reset: () => Object.assign(counts, Object.fromEntries(Object.keys(counts).map((key) => [key, 0]))),
    loaded() {
      for (const buffer of liveBuffers.keys()) weights.add(buffer);
    },
    liveBuffers,
  };
}

/** Bytes of the weights that a bind group binds. */
function weightBytesOf({ entries }: GPUBindGroupDescriptor, weights: WeakSet<GPUBuffer>): number {
  let sum = 0;
  for (const { resource } of entries) {
    const { buffer, offset = 0, size } = ('buffer' in resource ? resource : { buffer: resource }) as GPUBufferBinding;
    if (weights.has(buffer)) sum += size ?? buffer.size - offset;
  }
  return sum;
}

export type Interceptors = Record<string, (call: () => unknown, args: unknown[]) => unknown>;

/** A stand-in for `target` whose named methods go through interceptors. */
export function intercept<T extends object>(target: T, methods: Interceptors, values: Record<string, unknown> = {}): T {
  return new Proxy(target, {
    get(real, key) {
      if (typeof key === 'string' && Object.hasOwn(values, key)) return values[key];
      const value = Reflect.get(real, key, real) as unknown;
      if (typeof value !== 'function') return value;
      const interceptor = typeof key === 'string' && Object.hasOwn(methods, key) ? methods[key] : undefined;
      return (...args: unknown[]) => {
        const call = () => Reflect.apply(value, real, args) as unknown;
        return interceptor ? interceptor(call, args) : call();
      };
    },
    set: (real, key, value) => Reflect.set(real, key, value, real),
  });
}
