import { checked } from './buffers.ts';
import type { Kernel, RunSizes } from './kernel.ts';
import type { Pipelines } from './shader.ts';

/** A kernel made ready: nothing is created when it runs. */
export interface Dispatch {
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  workgroups: Kernel['workgroups'];
}

/** Compiles all pipelines at once and binds their buffers. */
export async function prepare(device: GPUDevice, pipelines: Pipelines, kernels: Kernel[]): Promise<Dispatch[]> {
  const compiled = await Promise.all(kernels.map(({ files, constants }) => pipelines.get(files, constants)));
  return checked(device, 'the bindings of its kernels', () =>
    kernels.map(({ bindings, workgroups }, i) => {
      const pipeline = compiled[i]!;
      const entries = Object.entries(bindings).flatMap(([binding, bound]) =>
        bound ? [{ binding: Number(binding), resource: 'buffer' in bound ? bound : { buffer: bound } }] : [],
      );
      const layout = pipeline.getBindGroupLayout(0);
      return { pipeline, bindGroup: device.createBindGroup({ label: pipeline.label, layout, entries }), workgroups };
    }),
  );
}

/** Writes the dispatches of one run into a pass; a dispatch without work is left out. */
export function encode(pass: GPUComputePassEncoder, dispatches: readonly Dispatch[], sizes: RunSizes): void {
  for (const { pipeline, bindGroup, workgroups } of dispatches) {
    const [x, y = 1, z = 1] = workgroups(sizes);
    if (x * y * z === 0) continue;
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, y, z);
  }
}
