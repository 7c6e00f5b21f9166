import type { TokenizerFiles } from '../../src/load/checkpoint.ts';
import type { Described } from '../../src/text/build.ts';
import { lettersOfBinary } from '../../src/text/bytes.ts';
import { describe } from '../../src/text/files.ts';
import { gpt2VocabSize, gpt2Vocabulary } from '../../src/text/gpt2.ts';
import { loadTokenizer } from '../../src/text/load.ts';
import { mergePairs } from '../../src/text/merge.ts';
import { endOfText } from '../../src/text/tokenizer.ts';
import type { Field } from './layout.ts';

/** llama.cpp's kinds of tokens. */
const [normal, control, userDefined, unused] = [1, 3, 4, 5];

interface Tokens {
  /** By id; a hole where an id is not used. */
  pieces: string[];
  merges: string[];
  /** The kind of each id that is no normal token. */
  kinds: Map<number, number>;
}

/**
 * The fields of GGUF's `tokenizer.ggml.*` for a vocabulary: that of the checkpoint's files, or GPT-2's own for a checkpoint
 * of its size without any; none for another size.
 */
export async function tokenizerFields(files: TokenizerFiles, vocabSize: number): Promise<Map<string, Field>> {
  await loadTokenizer(files, vocabSize); // checks them
  const own = (await describe(files, vocabSize))?.json;
  const words = own?.pre_tokenizer as { type: string; add_prefix_space?: boolean } | undefined;
  if (own && (own.normalizer != null || words?.type !== 'ByteLevel' || words.add_prefix_space)) {
    throw new Error("GGUF has a name for GPT-2's pre-tokenizer only; this tokenizer.json has another.");
  }
  const tokens = own ? ownTokens(own) : vocabSize === gpt2VocabSize ? await gpt2Tokens() : undefined;
  if (!tokens) return new Map([['tokenizer.ggml.model', { type: 'string', value: 'none' }]]);
  const { pieces, merges, kinds } = tokens;
  const ids = Array.from({ length: vocabSize }, (_, id) => id);
  const kindOf = (id: number) => kinds.get(id) ?? (pieces[id] === undefined ? unused : normal)!;
  return new Map<string, Field>([
    ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'string', value: 'gpt-2' }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: ids.map((id) => pieces[id] ?? `[PAD${id}]`) }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: ids.map(kindOf) }],
    ['tokenizer.ggml.merges', { type: 'strings', value: merges }],
  ]);
}

function ownTokens(json: Described['json']): Tokens {
  const { vocab, merges } = json.model as { vocab: Record<string, number>; merges: (string | string[])[] };
  const pieces: string[] = [];
  const kinds = new Map<number, number>();
  for (const [piece, id] of Object.entries(vocab)) pieces[id] = piece;
  for (const { id, content, special } of (json.added_tokens ?? []) as {
    id: number;
    content: string;
    special?: boolean;
  }[]) {
    pieces[id] = content;
    kinds.set(id, special || content === endOfText ? control! : userDefined!);
  }
  return { pieces, merges: merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))), kinds };
}

/** GPT-2's own. Its table has the pieces in the order of the merges; what a piece is merged of, those before it tell. */
export async function gpt2Tokens(): Promise<Tokens> {
  const { pieces } = await gpt2Vocabulary();
  const merges: string[] = [];
  const ranks = new Map<string, number>();
  for (const [id, piece] of pieces.slice(0, -1).entries()) {
    if (id >= 256) {
      const parts = mergePairs(piece, ranks).ids.map((part) => lettersOfBinary(pieces[part]!));
      if (parts.length !== 2) throw new Error(`Token ${id} is no merge of two before it.`);
      merges.push(parts.join(' '));
    }
    ranks.set(piece, id);
  }
  const letters = [...pieces.slice(0, -1).map(lettersOfBinary), endOfText];
  return { pieces: letters, merges, kinds: new Map([[letters.length - 1, control!]]) };
}
