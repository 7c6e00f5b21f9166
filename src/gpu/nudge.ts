/** An answer that takes longer may be late: an empty submit shows whether submits help. */
export const PATIENT_MS = 50;
/** Where it does, it is seen at once. */
const AT_ONCE_MS = 10;
const TRIALS = 3;
const FIRST_MS = 1;

/** What is known of a device: how often an empty submit was tried, and how often the GPU's work was seen to be done right after it. */
interface Known {
  trials: number;
  hits: number;
}

const ofDevices = new WeakMap<GPUDevice, Known>();

/**
 * Waits for a device. Firefox looks only every 100 ms for what a GPU has done, and whenever something is submitted. Where that is so,
 * as a few empty submits have shown, further ones follow at growing distances, so that the end is seen soon; elsewhere none does.
 */
export async function nudged<T>(device: GPUDevice, done: Promise<T>, patientMs = PATIENT_MS): Promise<T> {
  const known = ofDevices.get(device) ?? { trials: 0, hits: 0 };
  ofDevices.set(device, known);
  const helps = known.hits > TRIALS / 2;
  if (!helps && known.trials >= TRIALS) return done;
  let last: number | undefined;
  let wait = helps ? FIRST_MS : patientMs;
  const nudge = () => {
    last = performance.now();
    device.queue.submit([]);
    wait *= 2;
    if (helps) timer = setTimeout(nudge, wait);
  };
  let timer = setTimeout(nudge, wait);
  try {
    return await done;
  } finally {
    clearTimeout(timer);
    if (!helps && last !== undefined) {
      known.trials++;
      if (performance.now() - last < AT_ONCE_MS) known.hits++;
    }
  }
}
