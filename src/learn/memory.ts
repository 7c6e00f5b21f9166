import { VitrineError } from '../plan/error.ts';
import type { Read } from './examples.ts';
import type { Settings } from './options.ts';

/** Bytes that a run takes beside the model's own weights. */
export interface RunMemory {
  /** All of them together. */
  bytes: number;
  /** Of a step, on the device: what the forward run makes and the way back needs, and the gradients; the run that judges, where examples are judged. */
  activations: number;
  /** Copies of what is learnt, on the device. */
  weights: number;
  /** What is learnt with its gradient and its two moments, and of a head alone the features, in the memory of the model's thread. */
  optimiser: number;
  /** Blocks are made again on the way back, so that little is kept of the forward run. */
  recompute: boolean;
}

export const isOutOfMemory = (error: unknown): error is VitrineError =>
  error instanceof VitrineError && error.code === 'out-of-memory';

const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MB`;

/** What is said where there is no room for a gradient. */
export const noRoomFor = (what: string, bytes: number, cause: VitrineError): VitrineError =>
  new VitrineError('out-of-memory', `${what} takes ${megabytes(bytes)} beside the model. ${cause.message}`, {
    ...{ hint: 'Less is needed with recompute: true, fewer or shorter inputs, and fewer names in wrt.', cause },
  });

/** What is said of a run for which there is no room: what it wanted, and every way to less. */
export function noRoom(
  error: VitrineError,
  { bytes, activations, weights, optimiser, recompute }: RunMemory,
  { method, batchSize, batchTokens }: Settings,
  examples: readonly Read[],
): VitrineError {
  const longest = Math.max(
    ...examples.map(({ input: { rows, source } }) => Math.max(rows.length, source?.rows.length ?? 0)),
  );
  const message =
    `A run takes ${megabytes(bytes)} beside the model, ${megabytes(activations)} of them for what a step computes, ` +
    `${megabytes(weights)} for copies of what is learnt and ${megabytes(optimiser)} for the optimiser. ${error.message}`;
  const ways = [
    ...(recompute || method === 'head' ? [] : ['recompute: true']),
    ...(batchTokens !== undefined ? ['a smaller batchTokens'] : batchSize > 1 ? ['a smaller batchSize'] : []),
    `shorter texts (the longest has ${longest} tokens)`,
    ...(method === 'lora' ? ['a lower rank or fewer targets'] : method === 'full' ? ["method: 'lora'"] : []),
  ];
  return new VitrineError('out-of-memory', message, { hint: `Less is needed with ${ways.join(', ')}.`, cause: error });
}
