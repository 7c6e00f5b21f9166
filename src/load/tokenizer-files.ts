import type { TokenizerFiles } from './checkpoint.ts';
import { type Files, readBytes, readText } from './files.ts';

/**
 * Reads the tokenizer's files of a checkpoint: tokenizer.json, or where there is none, those that it would be made of. Marian's are
 * source.spm, target.spm and vocab.json, which say more than a tokenizer.json beside them.
 * @param modelType config.json's `model_type`; a `gpt2` needs no more than its vocabulary
 */
export async function readTokenizerFiles(
  files: Files,
  modelType: string,
  signal?: AbortSignal,
): Promise<TokenizerFiles> {
  const text = (file: string) => readText(files, file, signal);
  const bytes = async (file: string) => {
    const found = await readBytes(files, file, signal);
    return found && new Uint8Array(found);
  };
  const settings = async (): Promise<TokenizerFiles> => {
    if (modelType === 'gpt2') return {};
    const names = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'];
    const [config, specialTokens, addedTokens] = await Promise.all(names.map(text));
    return { modelType, ...present({ config, specialTokens, addedTokens }) };
  };
  if (modelType === 'marian') {
    const [source, target, vocab] = await Promise.all([bytes('source.spm'), bytes('target.spm'), text('vocab.json')]);
    if (source ?? target) return { ...(await settings()), ...present({ source, target, vocab }) };
  }
  const [tokenizerJson, rest] = await Promise.all([text('tokenizer.json'), settings()]);
  if (tokenizerJson !== undefined) return { ...rest, tokenizerJson };
  if (modelType !== 'gpt2') {
    const wordPieces = await text('vocab.txt');
    if (wordPieces !== undefined) return { ...rest, wordPieces };
    for (const file of ['spiece.model', 'sentencepiece.bpe.model', 'tokenizer.model']) {
      const sentencePieces = await bytes(file);
      if (sentencePieces) return { ...rest, sentencePieces };
    }
  }
  const [vocab, merges] = await Promise.all([text('vocab.json'), text('merges.txt')]);
  const found = present({ vocab, merges });
  return Object.keys(found).length > 0 ? { ...rest, ...found } : {};
}

/** Without what is undefined. */
function present<Fields extends object>(fields: Fields): Partial<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Fields>;
}
