import { show } from '../plan/show.ts';
import { type AddedToken, readAddedToken, readAddedTokens, type Section, sectioner } from './added.ts';
import { type Aligned, aligned } from './aligned.ts';
import { decoderOf } from './decoder.ts';
import { bad, check, type Json, object } from './json.ts';
import { type Cuts, put } from './merge.ts';
import { checkId, readModel, readPieces } from './model.ts';
import { type Normalizer, normalizerOf } from './normalizer.ts';
import { patternsOf } from './pattern.ts';
import { templateOf } from './post-processor.ts';
import { type PreTokenizer, preTokenizerOf } from './pre-tokenizer.ts';
import type { Description } from './spm.ts';
import type { Template } from './template.ts';
import { endOfText, type Role, roles, type Vocabulary } from './tokenizer.ts';
import type { WordModel } from './word-model.ts';

/** A described tokenizer with what other files say of it, nothing where there are none. */
export interface Described extends Description {
  /** tokenizer_config.json, special_tokens_map.json and added_tokens.json. */
  config: Json;
  specialTokens: Json;
  addedTokens: Json;
}

/**
 * Makes the vocabulary of a described tokenizer, for a model with `vocabSize` tokens. Throws `bad-checkpoint` for what is
 * broken, `unsupported-checkpoint` for what would be read otherwise than it is meant.
 */
export async function buildVocabulary(described: Described, vocabSize: number): Promise<Vocabulary> {
  const { json, names, config } = described;
  const { whole } = names;
  const model = withType(object(json.model, `${whole}: model`));
  const compile = await patternsOf([json.normalizer, json.pre_tokenizer]);
  const pieces = readPieces(model, names, vocabSize);
  const spellings: (string | undefined)[] = [];
  for (const [piece, id] of pieces) spellings[id] = piece;
  const added = addedTokens(described, pieces, spellings, vocabSize);
  const specials = new Map(added.filter(({ special }) => special).map(({ content, id }) => [content, id]));
  const template = templateOf(json.post_processor, `${whole}: post_processor`);
  for (const part of [...template.single, ...template.pair]) {
    if ('id' in part) checkId(part.id, `${whole}: a token of post_processor`, vocabSize);
  }
  const parts: Parts = {
    normalize: normalizerOf(json.normalizer, `${whole}: normalizer`, compile),
    words: preTokenizerOf(json.pre_tokenizer, `${whole}: pre_tokenizer`, compile),
    model: readModel(model, names, pieces, specials),
    trim: template.trim,
  };
  const [ordinary, all] = [added.filter(({ special }) => !special), added].map((tokens) => sections(tokens, parts));
  return {
    spelling: (id) => spellings[id],
    read: decoderOf(decoderJson(json, whole), `${whole}: decoder`),
    specials,
    cut: (text, special) => cutSections(text, (special ? all : ordinary)!(aligned(text)), parts),
    template,
    roles: readRoles(described, (content) => specials.get(content) ?? pieces.get(content)),
    cleansUp: config.clean_up_tokenization_spaces === true,
    ...decoding(json.decoder),
    subwordPrefix: subwordPrefix(model),
  };
}

/** What a decoder does beside reading one piece. WordPiece's cleans each piece up, whatever tokenizer_config.json says of the whole text. */
function decoding(decoder: unknown): Pick<Vocabulary, 'cleansPieces' | 'trims' | 'spellsBytes'> {
  const { type, cleanup, prepend_scheme, add_prefix_space } = (decoder ?? {}) as Json;
  return {
    cleansPieces: type === 'WordPiece' && cleanup !== false,
    trims: type === 'Metaspace' && prepend_scheme !== 'never' && add_prefix_space !== false,
    spellsBytes: JSON.stringify(decoder ?? null).includes('"ByteFallback"'),
  };
}

/** Files of old leave the model's type out. */
function withType(model: Json): Json {
  if (model.type != null) return model;
  return {
    ...model,
    type: Array.isArray(model.vocab) ? 'Unigram' : model.unk_token && !model.merges ? 'WordPiece' : 'BPE',
  };
}

function subwordPrefix({ type, continuing_subword_prefix: prefix }: Json): string | null {
  if (type === 'WordPiece') return typeof prefix === 'string' ? prefix || null : '##';
  return typeof prefix === 'string' ? prefix || null : null;
}

/** The decoder; where the text is cut into bytes, only one that puts bytes together will do. */
function decoderJson(json: Json, whole: string): unknown {
  const { pre_tokenizer: words, normalizer, decoder } = json;
  const { type } = (normalizer ?? {}) as Json;
  const has = (part: unknown) => JSON.stringify(part ?? null).includes('"ByteLevel"');
  const cutsBytes = has(words) || (type !== 'SentencePiece' && has(normalizer));
  if (cutsBytes && decoder != null) {
    const { type } = object(decoder, `${whole}: decoder`);
    check(`${whole}: decoder.type`, has(decoder) ? 'ByteLevel' : type, 'ByteLevel');
  }
  if (has(decoder) && !cutsBytes) {
    check(`${whole}: pre_tokenizer`, object(words, `${whole}: pre_tokenizer`), 'ByteLevel');
  }
  return decoder ?? (cutsBytes ? { type: 'ByteLevel' } : null);
}

/**
 * Those of tokenizer.json and those that only tokenizer_config.json or added_tokens.json have. What these say of ids that the model
 * lacks, or that are other pieces, is of another model. `spellings`, by id, are completed.
 */
function addedTokens(
  { json, names, config, specialTokens, addedTokens: more }: Described,
  pieces: ReadonlyMap<string, number>,
  spellings: (string | undefined)[],
  vocabSize: number,
): AddedToken[] {
  const where = `${names.whole}: added_tokens`;
  const tokens = new Map<string, AddedToken>();
  const { type } = (json.normalizer ?? {}) as Json;
  const isFree = ({ id, content }: AddedToken) => (spellings[id] ?? content) === content;
  const add = (token: AddedToken) => {
    spellings[token.id] = token.content;
    const special = token.special || token.content === endOfText;
    // SentencePiece would put a space before it.
    const normalized = token.normalized && (token.spelled || type !== 'SentencePiece');
    tokens.set(token.content, { ...token, special, normalized });
  };
  const addMore = (token: AddedToken, what: string) => {
    if (!Number.isInteger(token.id) || token.id < 0)
      throw bad(`${what} has the id ${show(token.id)}, expected a number.`);
    if (isFree(token) && token.id < vocabSize && !tokens.has(token.content)) add(token);
  };
  for (const [i, token] of readAddedTokens(json.added_tokens, where).entries()) {
    checkId(token.id, `${where}[${i}]`, vocabSize);
    if (!isFree(token)) throw bad(`${where}[${i}], ${show(token.content)}, has the id ${token.id} of another piece.`);
    add(token);
  }
  const decoder = object(config.added_tokens_decoder ?? {}, 'tokenizer_config.json: added_tokens_decoder');
  for (const [id, entry] of Object.entries(decoder)) {
    const what = `tokenizer_config.json: added_tokens_decoder.${id}`;
    addMore(readAddedToken(object(entry, what), Number(id), what), what);
  }
  const special = new Set(roles.flatMap((role) => roleContent(config, specialTokens, role) ?? []));
  const others = config.additional_special_tokens ?? specialTokens.additional_special_tokens;
  if (Array.isArray(others)) for (const other of others) special.add(contentOf(other) ?? '');
  for (const [content, id] of Object.entries(more)) {
    const what = `added_tokens.json: ${show(content)}`;
    addMore(readAddedToken({ content, special: special.has(content) }, id, what), what);
  }
  for (const content of special) {
    const id = pieces.get(content);
    const lstrip = content === '<mask>'; // as RoBERTa's and its heirs' is, where files do not say it
    if (id !== undefined && content !== '')
      addMore(readAddedToken({ content, special: true, lstrip }, id, ''), content);
  }
  return [...tokens.values()];
}

const contentOf = (token: unknown): string | undefined => {
  if (typeof token === 'string') return token;
  const { content } = (token ?? {}) as Json;
  return typeof content === 'string' ? content : undefined;
};

/** The token that files name for a role: null for none, undefined where they are silent. */
function roleContent(config: Json, specialTokens: Json, role: Role): string | null | undefined {
  const [named, other] = [config, specialTokens].map((fields) => fields[`${role}_token`]);
  if (named === null && other == null) return null;
  return contentOf(named ?? other);
}

/** What tokens are called that have a role, where no file says which they are. */
const usual: Record<Role, string[]> = {
  bos: ['<s>', endOfText],
  eos: ['</s>', endOfText],
  unk: ['<unk>', '[UNK]'],
  pad: ['<pad>', '[PAD]'],
  cls: ['[CLS]'],
  sep: ['[SEP]'],
  mask: ['<mask>', '[MASK]'],
};

function readRoles(
  { config, specialTokens }: Described,
  idOf: (content: string) => number | undefined,
): Record<Role, number | null> {
  const entries = roles.map((role) => {
    const named = roleContent(config, specialTokens, role);
    const contents = named === undefined ? usual[role] : [named ?? ''];
    return [role, contents.map(idOf).find((id) => id !== undefined) ?? null];
  });
  return Object.fromEntries(entries) as Record<Role, number | null>;
}

interface Parts {
  normalize: Normalizer;
  words: PreTokenizer;
  model: WordModel;
  trim: Template['trim'];
}

/** Added tokens are found in the text as it stands, or in what the normalizer makes of it. */
function sections(tokens: readonly AddedToken[], { normalize }: Parts): (source: Aligned) => Section[] {
  const raw = sectioner(tokens.filter(({ normalized }) => !normalized));
  const spelled = tokens
    .filter(({ normalized }) => normalized)
    .map((token) => (token.spelled ? token : { ...token, content: normalize(aligned(token.content)).text }));
  const inNormalized = sectioner(spelled.filter(({ content }) => content !== ''));
  return (source) =>
    raw(source).flatMap((section) => (section.token ? [section] : inNormalized(normalize(section.text))));
}

function cutSections(original: string, found: Section[], { words, model, trim }: Parts): Cuts {
  const cuts = { ids: [] as number[], starts: [] as number[], ends: [] as number[], words: [] as number[] };
  let count = 0;
  const add = (id: number, { text, from, to, base }: Aligned, start: number, end: number) => {
    let [first, last] = end > start ? [from[base + start]!, to[base + end - 1]!] : [0, 0];
    if (trim) {
      const [before, after] = spacesAround(text.slice(start, end));
      const kept = trim.prefixSpace && (cuts.ids.length === 0 || first === 0) ? 1 : 0;
      first = Math.min(moved(original, first, Math.max(before - kept, 0)), last);
      last = Math.max(moved(original, last, -after), first);
    }
    put(cuts, id, first, last);
    cuts.words.push(count);
  };
  for (const { text, token } of found) {
    if (token) {
      add(token.id, text, 0, text.text.length);
      count++;
      continue;
    }
    for (const word of words(text)) {
      const { ids, starts, ends } = model(word.text);
      for (let i = 0; i < ids.length; i++) add(ids[i]!, word, starts[i]!, ends[i]!);
      count++;
    }
  }
  return cuts;
}

/** How much white space a token begins and ends with. That is no part of its offsets, but the space that is put before a text is. */
function spacesAround(text: string): [before: number, after: number] {
  const space = /[\u0120\p{White_Space}]/u;
  let [before, after] = [0, 0];
  while (before < text.length && space.test(text[before]!)) before++;
  while (after < text.length && space.test(text[text.length - 1 - after]!)) after++;
  return [before, after];
}

/** A place so many characters further on, or back. */
function moved(text: string, place: number, characters: number): number {
  let at = place;
  for (let n = characters; n > 0 && at < text.length; n--) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  for (let n = characters; n < 0 && at > 0; n++) at -= at > 1 && text.codePointAt(at - 2)! > 0xffff ? 2 : 1;
  return at;
}
