import { type ModelConfig, parseConfig } from '../model/config.ts';
import { VitrineError } from '../plan/error.ts';
import type { Checkpoint, Progress } from './checkpoint.ts';
import { ByteReader, type Files, parseJson, readText } from './files.ts';
import { pickled, readDirectory, readSharded, type StoredTensor } from './safetensors.ts';
import { locate, type Source, type SourceOptions } from './source.ts';
import { TensorCheckpoint } from './tensors.ts';

export type { Source } from './source.ts';

export interface OpenOptions extends SourceOptions {
  /** Told of the checkpoint's size when it is opened (stage `config`), then of every megabyte read (`weights`). */
  onProgress?: (progress: Progress) => void;
  /** Cancels the opening; `Checkpoint.read` takes its own. */
  signal?: AbortSignal;
}

/**
 * Opens a GPT-2 checkpoint in Hugging Face's layout: `config.json` with `model.safetensors`, or with
 * `model.safetensors.index.json` and its shards. Reads and checks the config and the directory of tensors, no weight.
 *
 * Tensor names may have the prefix `transformer.`. What does not take part in GPT-2's computation is left alone: the
 * causal masks that old files hold (`h.0.attn.bias`), heads of other tasks, `lm_head.weight` beside a tied embedding.
 * What belongs to blocks or embeddings and is no part of a GPT-2 is refused by `Checkpoint.check`: without it the
 * model would compute something else.
 * @throws VitrineError `bad-checkpoint`, `unsupported-checkpoint`, `network`, or `bad-option` for what is no source;
 *   the signal's reason when cancelled
 */
export async function openCheckpoint(source: Source, options: OpenOptions = {}): Promise<Checkpoint> {
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const { files, weights } = await locate(source, options);
  if (weights !== undefined) checkFormat(weights);
  const config = await readConfig(files, signal);
  const tensors = await readTensors(files, weights, signal);
  signal?.throwIfAborted();
  const checkpoint = new TensorCheckpoint(files, config, tensors, onProgress);
  onProgress?.({ stage: 'config', loaded: 0, total: checkpoint.bytes, file: 'config.json' });
  return checkpoint;
}

async function readConfig(files: Files, signal: AbortSignal | undefined): Promise<ModelConfig> {
  const text = await readText(files, 'config.json', signal);
  if (text === undefined) throw files.missing('config.json');
  return parseConfig(parseJson(text, 'config.json'), 'config.json');
}

/** The tensors of the weight file that the source names, or else of the ones that the layout has names for. */
async function readTensors(
  files: Files,
  weights: string | undefined,
  signal: AbortSignal | undefined,
): Promise<StoredTensor[]> {
  const file = weights ?? 'model.safetensors';
  const tensors = await readDirectory(files, file, signal);
  if (tensors) return tensors;
  if (weights !== undefined) throw files.missing(weights);
  const index = 'model.safetensors.index.json';
  if (await exists(files, index, signal)) return readSharded(files, index, signal);
  for (const pickle of ['pytorch_model.bin', 'pytorch_model.bin.index.json']) {
    if (await exists(files, pickle, signal)) throw pickled(pickle);
  }
  throw files.missing(file);
}

async function exists(files: Files, file: string, signal: AbortSignal | undefined): Promise<boolean> {
  const opened = await files.open(file, 0, 1, signal);
  if (!opened) return false;
  const reader = new ByteReader(opened.bytes, 0);
  await reader.next(1, signal); // begun, so that it can be ended
  reader.cancel();
  return true;
}

/** Refuses weight files of other formats by their name, before anything is fetched. */
function checkFormat(file: string): void {
  if (/\.safetensors$/i.test(file)) return;
  if (/\.(bin|pt|pth|ckpt)$/i.test(file)) throw pickled(file);
  const format = file.slice(file.lastIndexOf('.') + 1).toUpperCase();
  throw new VitrineError('unsupported-checkpoint', `${file} is in the format ${format}; expected safetensors.`);
}
