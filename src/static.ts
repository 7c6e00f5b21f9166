/**
 * Vitrine with all of its parts imported at once, for hosts that forbid `import()`: service workers, an extension's above all.
 * Elsewhere `vitrine` fetches less.
 */
import * as tokenizers from '@huggingface/tokenizers';
import * as vocabulary from 'gpt-tokenizer/bpeRanks/r50k_base';
import * as merging from './adapter/merge.ts';
import * as ggufAdapters from './adapter/read-gguf.ts';
import * as savedAdapters from './adapter/saved.ts';
import * as cpuAdjoints from './cpu/adjoint.ts';
import * as cpu from './cpu/backend.ts';
import * as gpu from './gpu/open.ts';
import * as gguf from './load/gguf.ts';
import * as ggufModel from './load/gguf-model.ts';
import { bert } from './model/bert.ts';
import { gptNeo, opt } from './model/gpt-neo.ts';
import { gptNeox } from './model/gpt-neox.ts';
import { llama } from './model/llama.ts';
import { marian } from './model/marian.ts';
import { t5 } from './model/t5.ts';
import { vit } from './model/vit.ts';
import { provide } from './plan/part.ts';
import * as adapt from './run/adapt.ts';
import * as beam from './run/beam.ts';
import * as check from './run/canary/device-check.ts';
import * as ladder from './run/canary/ladder.ts';
import * as encoders from './run/load-encoder.ts';
import * as encoderDecoders from './run/load-encoder-decoder.ts';
import * as imageEncoders from './run/load-vision.ts';
import * as encoderTasks from './run/pipelines/encoder.ts';
import * as decoderTasks from './run/pipelines/text-generation.ts';
import * as textTasks from './run/pipelines/text2text.ts';
import * as imageTasks from './run/pipelines/vision.ts';
import * as scoring from './run/score.ts';
import * as speculation from './run/speculate.ts';
import * as weights from './run/weight.ts';
import * as ggufVocabulary from './text/gguf.ts';
import * as templates from './text/jinja.ts';
import * as tokenizer from './text/own-vocabulary.ts';
import * as sentencePieces from './text/spm.ts';
import * as wasm from './wasm/backend.ts';
import * as kernels from './wasm/binary-plain.ts';
import * as relaxedKernels from './wasm/binary-relaxed.ts';

provide("GPT-2's vocabulary", vocabulary);
provide('The tokenizer library', tokenizers);
provide('The reader of tokenizers', tokenizer);
provide('The reader of SentencePiece models', sentencePieces);
provide('The reader of GGUF files', [gguf, ggufModel]);
provide('The reader of GGUF adapters', ggufAdapters);
provide('The reader of GGUF vocabularies', ggufVocabulary);
provide('The JavaScript backend', cpu);
provide('What differentiates on the CPU', cpuAdjoints);
provide('The interpreter of chat templates', templates);
provide('The WebGPU backend', gpu);
provide('The WebAssembly backend', wasm);
provide('The WebAssembly kernels', kernels);
provide('The WebAssembly kernels for relaxed SIMD', relaxedKernels);
provide('What runs encoders', encoders);
provide('What runs encoder-decoders', encoderDecoders);
provide('What runs image encoders', imageEncoders);
provide('What does tasks of encoders', encoderTasks);
provide('What does tasks of encoder-decoders', textTasks);
provide('What does tasks of images', imageTasks);
provide('What does tasks of decoders', decoderTasks);
for (const family of [bert, gptNeo, gptNeox, llama, marian, opt, t5, vit])
  provide(`The family ${family.title}`, family);
provide('What adapts models', adapt);
provide('What merges adapters', merging);
provide('What keeps adapters', savedAdapters);
provide('What searches with beams', beam);
provide('What drafts tokens', speculation);
provide('What scores texts', scoring);
provide('What reads weights', weights);
provide('The check of the GPU', check);
provide('The ladder of checks', ladder);

export * from './index.ts';
