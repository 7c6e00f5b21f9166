import { badOption } from '../plan/error.ts';
import { AddedWeights } from '../run/added-weights.ts';
import type { FarModel } from '../run/afar.ts';
import { quote } from '../run/check.ts';
import type { Encoder } from '../run/encoder.ts';
import type { EncoderDecoder } from '../run/encoder-decoder.ts';
import { type Insides, insides } from '../run/insides.ts';
import type { Model } from '../run/model.ts';
import type { Vision } from '../run/vision.ts';

/** A loaded model of this thread. */
export type Near = Model | Encoder | EncoderDecoder | Vision;

/** A loaded model, of this thread or of an `EngineWorker`'s. */
export type Learner = Near | FarModel;

/** @throws VitrineError `bad-option` for what is no model of this thread, `disposed` */
export function insideOf(model: unknown): Insides {
  const found = (model as Partial<Near> | null | undefined)?.[insides];
  if (!found) {
    const hint = "Load it with load, loadEncoder, loadEncoderDecoder or loadVision, of 'vitrine' or an EngineWorker.";
    throw badOption(`The model is ${quote(model)}; expected a loaded model.`, hint);
  }
  found.engine.alive();
  // What is learnt is brought to the device as what adapters add.
  found.engine.added ??= new AddedWeights();
  return found;
}
