import type { TensorData, TinyCheckpoint } from './tiny-checkpoint.ts';

/** Ways to break a family's checkpoint, for its tests of malformed files. */

type Tensors = Pick<TinyCheckpoint, 'tensors'>;

export const [bad, unsupported] = ['bad-checkpoint', 'unsupported-checkpoint'] as const;

export const zeros = (...shape: number[]): TensorData => ({
  ...{ dtype: 'F16', shape },
  bytes: new Uint8Array(2 * shape.reduce((a, b) => a * b, 1)),
});

export const without =
  (name: string) =>
  ({ tensors }: Tensors): void => {
    if (!tensors.delete(name)) throw new Error(`The fixture has no ${name}.`);
  };

export const extra =
  (name: string, tensor: TensorData) =>
  ({ tensors }: Tensors): unknown =>
    tensors.set(name, tensor);
