import type { Checkpoint } from '../load/checkpoint.ts';
import { parseJson } from '../load/files.ts';
import type { BaseConfig } from '../model/family.ts';
import { Fields } from '../model/fields.ts';
import { type GenerationConfig, readGeneration } from '../model/generation.ts';

/**
 * What a checkpoint's generation_config.json says; nothing if there is none.
 * @throws VitrineError `bad-checkpoint` for a broken file, `unsupported-checkpoint` for a way of generating that is none of ours
 */
export async function generationOf(
  checkpoint: Pick<Checkpoint<BaseConfig>, 'text'>,
  vocabSize: number,
  signal: AbortSignal | undefined,
): Promise<GenerationConfig> {
  const file = 'generation_config.json';
  const text = await checkpoint.text(file, signal);
  return text === undefined ? {} : readGeneration(new Fields(parseJson(text, file), file), vocabSize);
}
