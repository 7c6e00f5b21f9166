import { VitrineError } from '../plan/error.ts';
import { AddedWeights } from '../run/added-weights.ts';
import { quote } from '../run/check.ts';
import type { Encoder } from '../run/encoder.ts';
import type { EncoderDecoder } from '../run/encoder-decoder.ts';
import { type Insides, insides } from '../run/loaded.ts';
import type { Model } from '../run/model.ts';
import type { Vision } from '../run/vision.ts';

/** A loaded model, of this thread. */
export type Learner = Model | Encoder | EncoderDecoder | Vision;

/** @throws VitrineError `bad-option` for what is no model of this thread, `disposed` */
export function insideOf(model: unknown): Insides {
  const found = (model as Partial<Learner> | null | undefined)?.[insides];
  if (!found) {
    throw new VitrineError('bad-option', `The model is ${quote(model)}; expected one that runs on this thread.`, {
      hint: "Load it with load, loadEncoder, loadEncoderDecoder or loadVision of 'vitrine'.",
    });
  }
  found.engine.alive();
  // What is learnt is brought to the device as what adapters add.
  found.engine.added ??= new AddedWeights();
  return found;
}
