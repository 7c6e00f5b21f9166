/** A stand-in for a device that can be listened to, and that can be out of memory. */
export interface WatchedDevice {
  device: GPUDevice;
  /** Submits so far, but for empty ones: a device that answers late is asked by them whether it is done. */
  submits: number;
  /** Called after each of them. */
  onSubmit: (count: number) => void;
  /** Labels of buffers that there is no room for. */
  full: (label: string, bytes: number) => boolean;
  /** Labels of the buffers that were refused. */
  refused: string[];
}

export function watchedDevice(real: GPUDevice): WatchedDevice {
  const scopes: string[] = [];
  let refusing = false;
  const watched: WatchedDevice = { device: real, submits: 0, onSubmit: () => {}, full: () => false, refused: [] };
  const standIn = <T extends object>(target: T, members: Record<string, unknown>): T =>
    new Proxy(target, {
      get(of, key) {
        if (typeof key === 'string' && Object.hasOwn(members, key)) return members[key];
        const value = Reflect.get(of, key, of) as unknown;
        return typeof value === 'function' ? value.bind(of) : value;
      },
    });
  const queue = standIn(real.queue, {
    submit(commands: GPUCommandBuffer[]) {
      real.queue.submit(commands);
      if (commands.length > 0) watched.onSubmit(++watched.submits);
    },
  });
  watched.device = standIn(real, {
    queue,
    pushErrorScope(filter: GPUErrorFilter) {
      scopes.push(filter);
      real.pushErrorScope(filter);
    },
    async popErrorScope() {
      const isMemory = scopes.pop() === 'out-of-memory';
      const refuse = isMemory && refusing;
      if (refuse) refusing = false;
      const error = await real.popErrorScope();
      return refuse ? { message: 'the test has no memory' } : error;
    },
    createBuffer(descriptor: GPUBufferDescriptor) {
      if (watched.full(descriptor.label ?? '', descriptor.size)) {
        refusing = true;
        watched.refused.push(descriptor.label ?? '');
      }
      return real.createBuffer(descriptor);
    },
  });
  return watched;
}
