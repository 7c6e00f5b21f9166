import type { Source } from '../load/source.ts';
import { part } from '../plan/part.ts';
import type { Encoder } from './encoder.ts';
import type { EncoderDecoder } from './encoder-decoder.ts';
import type { LoadOptions } from './loading.ts';
import type { Vision } from './vision.ts';

// What runs one kind of model alone, each fetched when it is called first.

/**
 * Loads an encoder: BERT, DistilBERT, RoBERTa, XLM-RoBERTa, or a folder of sentence-transformers.
 * @throws VitrineError as `load` does
 */
export async function loadEncoder(source: Source, options: LoadOptions = {}): Promise<Encoder> {
  const loader = await part('What runs encoders', () => import('./load-encoder.ts'));
  return loader.loadEncoder(source, options);
}

/**
 * Loads a model that reads one text and writes another: Marian, BART, mBART, Pegasus, T5, mT5.
 * @throws VitrineError as `load` does
 */
export async function loadEncoderDecoder(source: Source, options: LoadOptions = {}): Promise<EncoderDecoder> {
  const loader = await part('What runs encoder-decoders', () => import('./load-encoder-decoder.ts'));
  return loader.loadEncoderDecoder(source, options);
}

/**
 * Loads an image encoder: ViT or DeiT.
 * @throws VitrineError as `load` does
 */
export async function loadVision(source: Source, options: LoadOptions = {}): Promise<Vision> {
  const loader = await part('What runs image encoders', () => import('./load-vision.ts'));
  return loader.loadVision(source, options);
}
