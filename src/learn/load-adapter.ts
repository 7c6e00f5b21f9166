import type { Adapter } from '../adapter/adapter.ts';
import { type AdapterOptions, type AdapterSource, readAdapter } from '../adapter/read.ts';
import { checkOptions } from '../run/check.ts';
import { loadChecks } from '../run/loading.ts';

const { revision, endpoint, token, fetch, cache, signal } = loadChecks;
const checks = { revision, endpoint, token, fetch, cache, signal };

/**
 * Loads a LoRA adapter as Hugging Face's peft saves it: a hub id, a URL, a path or files (see `Source`).
 * @throws VitrineError `unsupported-checkpoint` for other methods than LoRA and settings that are not computed, by name;
 *   `bad-checkpoint` for files that do not fit together; `bad-option`, `network`. The signal's reason when it aborts.
 */
export async function loadAdapter(source: AdapterSource, options: AdapterOptions = {}): Promise<Adapter> {
  checkOptions('loadAdapter', options, checks);
  return readAdapter(source, options);
}
