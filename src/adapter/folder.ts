import type { Checkpoint } from '../load/checkpoint.ts';
import type { BaseConfig } from '../model/family.ts';

/** What a model's folder has beside its weights, as text. */
const names = [
  ...['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'],
  ...['vocab.json', 'merges.txt', 'vocab.txt', 'added_tokens.json', 'chat_template.jinja', 'preprocessor_config.json'],
  ...['modules.json', 'sentence_bert_config.json', 'config_sentence_transformers.json', '1_Pooling/config.json'],
];

/** The files of a checkpoint's folder that are there; none of a GGUF file, which is all that there is. */
export async function folderTexts(checkpoint: Pick<Checkpoint<BaseConfig>, 'text'>, signal?: AbortSignal) {
  const texts = new Map<string, string>();
  for (const name of names) {
    const text = await checkpoint.text(name, signal);
    if (text !== undefined) texts.set(name, text);
  }
  return texts;
}
