import { beforeAll, expect, test } from 'vitest';
import { writeSafetensors } from '../../src/adapter/write.ts';
import { type Adapter, loadAdapter } from '../../src/learn/index.ts';
import { expectClose } from '../close.ts';
import { concat } from '../load/tiny-checkpoint.ts';
import { adapterFiles, expectedLogits, fixtureAdapter, openLearner } from './adapter-fixtures.ts';

type Json = Record<string, unknown>;
type Tensors = Map<string, { data: Float32Array; shape: readonly number[] }>;
type Code = 'bad-checkpoint' | 'unsupported-checkpoint';

let whole: Adapter;
let learner: Awaited<ReturnType<typeof openLearner>>;
beforeAll(async () => {
  whole = await fixtureAdapter('tiny-gpt2', 'end');
  learner = await openLearner('tiny-gpt2');
  await learner.model.setAdapter(whole);
  return () => learner.model.dispose();
});

const first = 'base_model.model.transformer.h.0.attn.c_attn.lora_A.weight';
const other = 'base_model.model.transformer.h.0.attn.c_attn.lora_B.weight';
const floats = (...shape: number[]) => ({ data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.1), shape });
const set = (changes: Json) => (config: Json) => void Object.assign(config, changes);
const put =
  (name: string, ...shape: number[]) =>
  (_: Json, tensors: Tensors) =>
    void tensors.set(name, floats(...shape));

/** What is done to a good adapter, the code and some of the words that must come of it. */
const cases: [what: string, change: (config: Json, tensors: Tensors) => void, code: Code, words: RegExp][] = [
  ['DoRA', set({ use_dora: true }), 'unsupported-checkpoint', /use_dora.*merge/i],
  ['QALoRA', set({ use_qalora: true }), 'unsupported-checkpoint', /use_qalora/],
  ['block-diagonal LoRA', set({ use_bdlora: { nblocks: 2 } }), 'unsupported-checkpoint', /use_bdlora/],
  ['a bias of lora_B', set({ lora_bias: true }), 'unsupported-checkpoint', /lora_bias/],
  [
    'layers repeated',
    set({
      layer_replication: [
        [0, 2],
        [1, 3],
      ],
    }),
    'unsupported-checkpoint',
    /layer_replication/,
  ],
  ['trained tokens', set({ trainable_token_indices: [1] }), 'unsupported-checkpoint', /trainable_token_indices/],
  ['target parameters', set({ target_parameters: ['x'] }), 'unsupported-checkpoint', /target_parameters/],
  ['aLoRA', set({ alora_invocation_tokens: [1] }), 'unsupported-checkpoint', /alora_invocation_tokens/],
  ['LoftQ', set({ loftq_config: { loftq_bits: 4 } }), 'unsupported-checkpoint', /loftq_config/],
  ['CorDA', set({ corda_config: { corda_method: 'kpm' } }), 'unsupported-checkpoint', /corda_config/],
  ['EVA', set({ eva_config: { rho: 2 } }), 'unsupported-checkpoint', /eva_config/],
  ['Arrow', set({ arrow_config: { top_k: 2 } }), 'unsupported-checkpoint', /arrow_config/],
  ['LoRA-GA', set({ lora_ga_config: { a: 1 } }), 'unsupported-checkpoint', /lora_ga_config/],
  ['Kasa', set({ kasa_config: { a: 1 } }), 'unsupported-checkpoint', /kasa_config/],
  ['Monte-CLoRA', set({ monteclora_config: { a: 1 } }), 'unsupported-checkpoint', /monteclora_config/],
  ['PiSSA', set({ init_lora_weights: 'pissa_niter_4' }), 'unsupported-checkpoint', /init_lora_weights.*pissa/],
  ['OLoRA', set({ init_lora_weights: 'olora' }), 'unsupported-checkpoint', /init_lora_weights.*olora/],
  ['IA3', set({ peft_type: 'IA3' }), 'unsupported-checkpoint', /peft_type.*IA3.*LORA/],
  ['VeRA', set({ peft_type: 'VERA' }), 'unsupported-checkpoint', /VERA/],
  ['prompt tuning', set({ peft_type: 'PROMPT_TUNING' }), 'unsupported-checkpoint', /PROMPT_TUNING/],
  ['AdaLoRA', set({ peft_type: 'ADALORA' }), 'unsupported-checkpoint', /ADALORA/],
  ['no method', set({ peft_type: undefined }), 'bad-checkpoint', /peft_type.*missing/],
  ['a rank of 0', set({ r: 0 }), 'bad-checkpoint', /\br\b.*0.*from 1/],
  ['a rank in words', set({ r: '4' }), 'bad-checkpoint', /\br\b.*"4"/],
  ['no alpha', set({ lora_alpha: null }), 'bad-checkpoint', /lora_alpha/],
  ['a rank of 0 in a pattern', set({ rank_pattern: { c_attn: 0 } }), 'bad-checkpoint', /rank_pattern.c_attn/],
  ['an alpha in words', set({ alpha_pattern: { c_attn: 'x' } }), 'bad-checkpoint', /alpha_pattern.c_attn/],
  ['a pattern that is none', set({ target_modules: '(' }), 'unsupported-checkpoint', /target_modules/],
  ['no targets', set({ target_modules: [] }), 'bad-checkpoint', /target_modules/],
  ['targets of another kind', set({ target_modules: 7 }), 'bad-checkpoint', /target_modules/],
  ['an unknown target', set({ target_modules: ['c_attn', 'c_proj', 'q_proj'] }), 'bad-checkpoint', /"q_proj"/],
  ['targets that leave out a module', set({ target_modules: ['c_attn'] }), 'bad-checkpoint', /c_proj.*target_modules/],
  ['a kind of bias', set({ bias: 'some' }), 'bad-checkpoint', /bias.*"some"/],
  ['layers in words', set({ layers_to_transform: 'first' }), 'bad-checkpoint', /layers_to_transform/],
  ['a layer left out', set({ layers_to_transform: [0, 1] }), 'bad-checkpoint', /h\.2\./],
  ['another rank than the tensors have', set({ r: 8 }), 'bad-checkpoint', /lora_A.*\[4,96\].*\[8, inputs\]/],
  ['a module to save that is not there', set({ modules_to_save: ['wte'] }), 'bad-checkpoint', /modules_to_save.*wte/],
  [
    'no lora_B',
    (_, tensors) => void tensors.delete(other),
    'bad-checkpoint',
    /lacks lora_B of transformer.h.0.attn.c_attn/,
  ],
  [
    'a module gone',
    (_, tensors) => {
      for (const name of [first, other]) tensors.delete(name);
    },
    'bad-checkpoint',
    /h\.0\.attn\.c_attn/,
  ],
  ['no tensors', (_, tensors) => tensors.clear(), 'bad-checkpoint', /holds no tensor/],
  ['NaN', (_, tensors) => void (tensors.get(first)!.data[5] = Number.NaN), 'bad-checkpoint', /lora_A.*no number/],
  [
    'infinity',
    (_, tensors) => void (tensors.get(other)!.data[5] = Number.POSITIVE_INFINITY),
    'bad-checkpoint',
    /no number/,
  ],
  ['inputs of another base', put(first, 4, 90), 'bad-checkpoint', /from 90 to 288.*from 96 to 288.*tiny-gpt2/],
  ['outputs of another base', put(other, 280, 4), 'bad-checkpoint', /from 96 to 280/],
  ['a tensor nobody asks for', put('base_model.model.transformer.h.0.attn.c_attn.bias', 288), 'bad-checkpoint', /bias/],
  [
    'a word table nobody asks for',
    put('base_model.model.transformer.wte.weight', 1000, 96),
    'bad-checkpoint',
    /wte.weight.*modules_to_save/,
  ],
  [
    'DoRA’s tensors',
    put('base_model.model.transformer.h.0.attn.c_attn.lora_magnitude_vector', 288),
    'unsupported-checkpoint',
    /lora_magnitude_vector/,
  ],
  [
    'two tensors for one',
    (config, tensors) => {
      Object.assign(config, { modules_to_save: ['ln_f'] });
      const name = 'base_model.model.transformer.ln_f';
      tensors.set(`${name}.bias`, floats(96));
      tensors.set(`${name}.modules_to_save.bias`, { data: new Float32Array(96), shape: [96] });
    },
    'bad-checkpoint',
    /two transformer.ln_f.bias/,
  ],
  ['a vector as a half', put(first, 4), 'bad-checkpoint', /lora_A.*\[4\]/],
];

test.each(cases)(
  '%s: the right code, a clear word, and the adapter before stays on',
  async (_, change, code, words) => {
    const config = structuredClone(whole.content.config) as Json;
    const tensors: Tensors = structuredClone(whole.content.tensors) as Tensors;
    change(config, tensors);
    const files = {
      'adapter_config.json': JSON.stringify(config),
      'adapter_model.safetensors': writeSafetensors(tensors),
    };
    const { bytes } = learner.model.device;
    const failure = await loadAdapter(files)
      .then((adapter) => learner.model.setAdapter(adapter))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'VitrineError', code });
    expect((failure as Error).message).toMatch(words);
    expect(learner.model.device.bytes).toBe(bytes);
  },
);

test('a target inside a module that is saved whole has no product, as peft writes it', async () => {
  const config = structuredClone(whole.content.config) as Json;
  const tensors: Tensors = structuredClone(whole.content.tensors) as Tensors;
  set({ target_modules: ['c_attn', 'c_proj', 'c_fc'], modules_to_save: ['mlp'] })(config);
  for (const name of [...tensors.keys()]) if (name.includes('.mlp.')) tensors.delete(name);
  for (const layer of [0, 1, 2])
    put(`base_model.model.transformer.h.${layer}.mlp.c_fc.weight`, 96, 384)(config, tensors);
  const files = {
    'adapter_config.json': JSON.stringify(config),
    'adapter_model.safetensors': writeSafetensors(tensors),
  };
  await expect(loadAdapter(files)).resolves.toMatchObject({ config: { modulesToSave: ['mlp'] } });
});

test('files that are no adapter are refused by what they are', async () => {
  const [config, weights] = await adapterFiles('tiny-gpt2', 'end');
  const named = (name: string, content: BlobPart) => new File([content], name);
  const cut = (await weights!.arrayBuffer()).slice(0, -40);
  const failing: [Parameters<typeof loadAdapter>[0], Code | 'bad-option', RegExp][] = [
    [[config!], 'bad-checkpoint', /adapter_model.safetensors/],
    [[weights!], 'bad-checkpoint', /adapter_config.json/],
    [[config!, named('adapter_model.bin', 'PK')], 'unsupported-checkpoint', /pickle.*safe_serialization/],
    [[config!, named('adapter_model.safetensors', cut)], 'bad-checkpoint', /Fetch it again/],
    [[named('adapter_config.json', '{"r": '), weights!], 'bad-checkpoint', /not JSON/],
    [[named('adapter_config.json', '[]'), weights!], 'bad-checkpoint', /expected an object/],
    [
      [named('config.json', '{}'), named('model.safetensors', 'x')],
      'bad-checkpoint',
      /adapter_config.json.*It is a model/,
    ],
    [[named('adapter.gguf', concat([new TextEncoder().encode('GGUX'), new Uint8Array(40)]))], 'bad-checkpoint', /GGUF/],
    [{}, 'bad-option', /source/],
    ['no such/id/at all', 'bad-option', /neither a hub id/],
    [7 as never, 'bad-option', /source/],
  ];
  for (const [source, code, words] of failing) {
    const failure = await loadAdapter(source).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'VitrineError', code });
    expect((failure as Error).message).toMatch(words);
  }
  await expect(loadAdapter([config!, weights!], { scale: 2 } as never)).rejects.toMatchObject({ code: 'bad-option' });
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(loadAdapter([config!, weights!], { signal })).rejects.toThrow('enough');
  expectClose(await learner.logits(), (await expectedLogits('tiny-gpt2')).get('end')!, { absolute: 5e-4 }, 'still on');
});
