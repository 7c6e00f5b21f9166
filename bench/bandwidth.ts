/** What one copy moves: far more than any cache holds. */
const bytes = 2 ** 26;

/**
 * Bytes a second that a device copies from buffer to buffer, each byte read and written counted once as llama.cpp and
 * others count a model's bytes: the best of several tries.
 */
export async function copyBandwidth(device: GPUDevice): Promise<number> {
  const usage = 0x04 | 0x08; // COPY_SRC | COPY_DST
  const [from, to] = [1, 2].map(() => device.createBuffer({ size: bytes, usage }));
  const time = async (copies: number) => {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < copies; i++) encoder.copyBufferToBuffer(from!, 0, to!, 0, bytes);
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await time(1);
  // As many as take some 50 ms, so that the submit itself does not count.
  const copies = Math.min(256, Math.max(1, Math.round(50 / (await time(1)))));
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 4; run++) best = Math.min(best, await time(copies));
  from!.destroy();
  to!.destroy();
  return (2 * bytes * copies) / (best / 1000);
}
