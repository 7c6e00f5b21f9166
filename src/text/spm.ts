import type { TokenizerFiles } from '../load/checkpoint.ts';
import { show } from '../plan/show.ts';
import { bad, check, type Json, readObject, refuse } from './json.ts';
import type { Names } from './model.ts';
import { kinds, readSentencePieces, type SentencePieces } from './sentencepiece.ts';

/** A tokenizer in the terms of tokenizer.json, and what messages call its parts. */
export interface Description {
  json: Json;
  names: Names;
  /** What tokenizer_config.json would say. */
  config?: Json;
  /** That of what the model writes. */
  target?: Description;
}

export const template = (before: Json[], after: Json[], tokens: Record<string, number>): Json => {
  const part = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const special_tokens = Object.fromEntries(Object.entries(tokens).map(([token, id]) => [token, { ids: [id] }]));
  const single = [...before, part('A'), ...after];
  return { type: 'TemplateProcessing', single, pair: [...single, ...before, part('B'), ...after], special_tokens };
};
export const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
export const special = (content: string, id: number, more: Json = {}) => ({ id, content, special: true, ...more });

/** spiece.model, sentencepiece.bpe.model or tokenizer.model. Which ids its pieces have depends on the family. */
export function describeSentencePieces(
  bytes: Uint8Array,
  { modelType, config }: TokenizerFiles,
  vocabSize: number,
): Description {
  const file = 'The SentencePiece model';
  const model = readSentencePieces(bytes, file);
  const options = readObject(config, 'tokenizer_config.json');
  const family = familyOf(options.tokenizer_class, modelType);
  const idOf = (piece: string): number => {
    const id = model.pieces.findIndex((one) => one.piece === piece);
    if (id < 0) throw bad(`${file} lacks ${show(piece)}, which every text needs.`);
    return id;
  };
  const ids = new Map<string, number>(model.pieces.map(({ piece }, id) => [piece, id]));
  const names = { whole: file, vocab: file, merges: file };
  const eos = '</s>';
  switch (family) {
    case 't5': {
      const extra = options.extra_ids ?? (model.pieces.length + 100 <= vocabSize ? 100 : 0);
      if (typeof extra !== 'number' || !(extra >= 0 && extra <= 10_000)) {
        throw bad(`tokenizer_config.json: extra_ids is ${show(extra)}, expected a number.`);
      }
      const extras = Array.from({ length: extra }, (_, i) =>
        special(`<extra_id_${extra - 1 - i}>`, model.pieces.length + i),
      );
      const around = template([], [token(eos)], { [eos]: idOf(eos) });
      return { json: described(model, ids, around, extras), names };
    }
    case 'xlm-roberta': {
      // Fairseq's four come first, and <mask> last.
      const first = ['<s>', '<pad>', eos, '<unk>'];
      for (const [piece, id] of ids) ids.set(piece, id + 1);
      for (const [id, piece] of first.entries()) ids.set(piece, id);
      const mask = special('<mask>', model.pieces.length + 1, { lstrip: true });
      const around = { type: 'RobertaProcessing', cls: ['<s>', 0], sep: [eos, 2], trim_offsets: false };
      return { json: described(model, ids, around, [...first.map((piece, id) => special(piece, id)), mask]), names };
    }
    case 'pegasus': {
      for (const [piece, id] of ids) ids.set(piece, id + 103);
      const first = ['<pad>', eos, '<mask_1>', '<mask_2>', ...Array.from({ length: 101 }, (_, i) => `<unk_${i + 2}>`)];
      for (const [id, piece] of first.entries()) ids.set(piece, id);
      const around = template([], [token(eos)], { [eos]: 1 });
      const specials = first.map((piece, id) => special(piece, id));
      return { json: described(model, ids, around, specials), names };
    }
    case 'llama': {
      const before = options.add_bos_token === false ? [] : ['<s>'];
      const after = options.add_eos_token === true ? [eos] : [];
      const tokens = Object.fromEntries([...before, ...after].map((piece) => [piece, idOf(piece)]));
      return { json: described(model, ids, template(before.map(token), after.map(token), tokens), []), names };
    }
    default:
      return family satisfies never;
  }
}

type Family = 't5' | 'xlm-roberta' | 'pegasus' | 'llama';

function familyOf(tokenizerClass: unknown, modelType: string | undefined): Family {
  const name = String(tokenizerClass ?? modelType ?? 'missing');
  if (/^(m?t5|umt5)/i.test(name)) return 't5';
  if (/^xlm-?roberta|^camembert$/i.test(name)) return 'xlm-roberta';
  if (/^pegasus/i.test(name)) return 'pegasus';
  if (/^(llama|mistral|code_?llama)/i.test(name)) return 'llama';
  const where = tokenizerClass === undefined ? 'config.json: model_type' : 'tokenizer_config.json: tokenizer_class';
  throw refuse(where, name, 'a family whose ids in a SentencePiece model are known, or a tokenizer.json beside it');
}

/** A model with the ids that its pieces have; pieces that stand for no text are special. */
function described(model: SentencePieces, ids: Map<string, number>, post_processor: Json, added: Json[]): Json {
  const matched = model.pieces.filter(({ kind }) => kind === kinds.normal || kind === kinds.userDefined);
  const controls = model.pieces.filter(({ kind }) => kind === kinds.control || kind === kinds.unknown);
  const taken = new Set(added.map(({ content }) => content));
  const { byteFallback, charsmap, addsPrefix, removesSpaces } = model;
  const unknown = model.pieces.find(({ kind }) => kind === kinds.unknown)!.piece;
  const cutsWords =
    model.type === 'unigram' && ids.has('▁') && matched.every(({ piece }) => piece.lastIndexOf('▁') <= 0);
  return {
    model: {
      type: model.type === 'unigram' ? 'Unigram' : 'ScoredBPE',
      vocab: matched.map(({ piece, score }) => [piece, score]),
      ids: Object.fromEntries(ids),
      unk_id: ids.get(unknown),
      byte_fallback: byteFallback,
    },
    normalizer: { type: 'SentencePiece', charsmap, addsPrefix, removesSpaces },
    pre_tokenizer: cutsWords ? { type: 'Split', pattern: { String: '▁' }, behavior: 'MergedWithNext' } : null,
    post_processor,
    decoder: byteFallback
      ? byteFallbackDecoder(addsPrefix)
      : { type: 'Metaspace', prepend_scheme: addsPrefix ? 'always' : 'never' },
    added_tokens: [
      ...controls
        .filter(({ piece }) => ids.has(piece) && !taken.has(piece))
        .map(({ piece }) => special(piece, ids.get(piece)!)),
      ...model.pieces
        .filter(({ kind }) => kind === kinds.userDefined)
        .map(({ piece }) => ({ id: ids.get(piece), content: piece, normalized: true, spelled: true })),
      ...added,
    ],
  };
}

/** The decoder of a model that spells what it has no piece for in bytes. */
export function byteFallbackDecoder(addsPrefix: boolean): Json {
  const decoders: Json[] = [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }];
  if (addsPrefix) decoders.push({ type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 });
  return { type: 'Sequence', decoders };
}

/** Marian's: pieces by source.spm and target.spm, ids by vocab.json; `>>fr<<` before a text says what to translate to. */
export function describeMarian({ source, target, vocab, config }: TokenizerFiles): Description {
  if (vocab === undefined) throw bad('vocab.json is missing beside source.spm.');
  if (source === undefined) throw bad('source.spm is missing beside target.spm.');
  const options = readObject(config, 'tokenizer_config.json');
  check('tokenizer_config.json: separate_vocabs', options.separate_vocabs ?? false, false);
  const ids = new Map(Object.entries(readObject(vocab, 'vocab.json'))) as Map<string, number>;
  const [eos, unknown] = ['</s>', '<unk>'] as const;
  for (const piece of [eos, unknown]) {
    if (!ids.has(piece)) throw bad(`vocab.json lacks ${show(piece)}, which every text needs.`);
  }
  const around = {
    ...template([], [token(eos)], { [eos]: ids.get(eos)! }),
    pair: [...['A', 'B'].map((id) => ({ Sequence: { id, type_id: 0 } })), token(eos)],
  };
  const languages = [...ids.keys()].filter((piece) => /^>>.+<<$/.test(piece));
  const added = [
    ...[eos, unknown, '<pad>'].filter((piece) => ids.has(piece)).map((piece) => special(piece, ids.get(piece)!)),
    ...languages.map((content) => ({ id: ids.get(content), content, begins: true, normalized: false })),
  ];
  const describe = (bytes: Uint8Array, file: string): Description => {
    const model = readSentencePieces(bytes, file);
    const json = described(model, ids, around, added);
    Object.assign(json.model as Json, { unk_id: ids.get(unknown) });
    return { json, names: { whole: file, vocab: 'vocab.json', merges: file } };
  };
  const read = describe(source, 'source.spm');
  return target === undefined ? read : { ...read, target: describe(target, 'target.spm') };
}
