// Texts that every peer reads as the same tokens, whether it takes ids or text: words that GPT-2 has one token for each.
import { decode, encode } from 'gpt-tokenizer/encoding/r50k_base';

/** The words, as [id, text] with the space before them. */
export const words = Array.from({ length: 12000 }, (_, id) => [id, decode([id])]).filter(
  ([, text]) => /^ [a-z]+$/.test(text) && encode(text).length === 1,
);

/** A token's text, as peers that give no ids report it. */
export const asText = (token) => (typeof token === 'number' ? decode([token]) : token);
