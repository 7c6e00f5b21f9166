/** WebGPU's buffer usage bits by number: Node has no `GPUBufferUsage` global, and a caller's device needs none. */
export const usage = {
  storage: 0x80 | 0x04 | 0x08, // STORAGE | COPY_SRC | COPY_DST
  staging: 0x01 | 0x08, // MAP_READ | COPY_DST
  timestamps: 0x200 | 0x04, // QUERY_RESOLVE | COPY_SRC
} as const;

/** Of buffers that kernels bind. */
export const STORAGE = 0x80;
export const MAP_READ = 1;
