/**
 * The table of GPT-2's vocabulary, fetched when first asked for: half a megabyte. In dist/engine.js, which is one file and
 * imports nothing, src/embed/asked-vocabulary.ts stands in its place.
 */
export const fetchVocabulary = () => import('gpt-tokenizer/bpeRanks/r50k_base');
