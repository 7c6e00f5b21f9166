/**
 * Vitrine with all of its parts imported at once, for hosts that forbid `import()`: service workers, an extension's above all.
 * Elsewhere `vitrine` fetches less.
 */
import * as tokenizers from '@huggingface/tokenizers';
import * as vocabulary from 'gpt-tokenizer/bpeRanks/r50k_base';
import * as cpu from './cpu/backend.ts';
import * as gpu from './gpu/open.ts';
import { provide } from './plan/part.ts';
import * as check from './run/canary/device-check.ts';
import * as ladder from './run/canary/ladder.ts';
import * as ggufVocabulary from './text/gguf.ts';
import * as templates from './text/jinja.ts';
import * as tokenizer from './text/own-vocabulary.ts';
import * as sentencePieces from './text/spm.ts';
import * as wasm from './wasm/backend.ts';

provide("GPT-2's vocabulary", vocabulary);
provide('The tokenizer library', tokenizers);
provide('The reader of tokenizers', tokenizer);
provide('The reader of SentencePiece models', sentencePieces);
provide('The reader of GGUF vocabularies', ggufVocabulary);
provide('The JavaScript backend', cpu);
provide('The interpreter of chat templates', templates);
provide('The WebGPU backend', gpu);
provide('The WebAssembly backend', wasm);
provide('The check of the GPU', check);
provide('The ladder of checks', ladder);

export * from './index.ts';
