import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/load/open.ts';
import type { ErrorCode } from '../../src/plan/error.ts';
import { loadEncoder } from '../../src/run/load-encoder.ts';
import { expectClose } from '../close.ts';
import { EncoderFolder } from './encoder-folder.ts';

type Change = (folder: EncoderFolder) => unknown;
type Broken = [what: string, code: ErrorCode, message: RegExp, change: Change];

const config =
  (fields: Record<string, unknown>): Change =>
  (folder) =>
    folder.set('config.json', fields);
const values = (count: number, value: number) => new Uint8Array(new Float32Array(count).fill(value).buffer);
const [bad, other] = ['bad-checkpoint', 'unsupported-checkpoint'] as const;
const layer = 'encoder.layer.1.output.dense';
const st = 'sentence_transformers.models';

const broken: Broken[] = [
  ['a config that is no JSON', bad, /config.json is not JSON/, (folder) => folder.write('config.json', '{"a":')],
  ['a config that is a list', bad, /config.json holds \[\]/, (folder) => folder.write('config.json', '[]')],
  ['a width in quotes', bad, /hidden_size in config.json is "32"/, config({ hidden_size: '32' })],
  [
    'a width that heads do not divide',
    bad,
    /hidden_size .*multiple of num_attention_heads, which is 5/,
    config({ num_attention_heads: 5 }),
  ],
  ['no heads', bad, /num_attention_heads .* 0/, config({ num_attention_heads: 0 })],
  ['a vocabulary of no words', bad, /vocab_size .* 0/, config({ vocab_size: 0 })],
  ['half a layer', bad, /num_hidden_layers .* 1.5/, config({ num_hidden_layers: 1.5 })],
  ['types below 0', bad, /type_vocab_size .* -1/, config({ type_vocab_size: -1 })],
  ['positions without end', bad, /max_position_embeddings/, config({ max_position_embeddings: 1e12 })],
  ['an epsilon of 0', bad, /layer_norm_eps .* 0/, config({ layer_norm_eps: 0 })],
  [
    'an infinite epsilon',
    bad,
    /layer_norm_eps in config.json is Infinity/,
    (folder) =>
      folder.write(
        'config.json',
        JSON.stringify({ ...folder.json('config.json'), layer_norm_eps: 9 }).replace(
          '"layer_norm_eps":9',
          '"layer_norm_eps":Infinity',
        ),
      ),
  ],
  ['an activation that is not followed', other, /hidden_act .*"mish"/, config({ hidden_act: 'mish' })],
  [
    'relative positions',
    other,
    /position_embedding_type .*"relative_key"/,
    config({ position_embedding_type: 'relative_key' }),
  ],
  ['a decoder', other, /is_decoder .*true/, config({ is_decoder: true })],
  ['cross-attention', other, /add_cross_attention .*true/, config({ add_cross_attention: true })],
  ['quantised weights', other, /quantization_config/, config({ quantization_config: { quant_method: 'gptq' } })],
  ['heads that are gone', other, /pruned_heads/, config({ pruned_heads: { 0: [1] } })],
  [
    'another class',
    other,
    /architectures .*BertForMultipleChoice/,
    config({ architectures: ['BertForMultipleChoice'] }),
  ],
  ['another family', other, /model_type .*"electra"; expected .*"distilbert"/, config({ model_type: 'electra' })],
  ['a decoder of another family', other, /Call load instead/, config({ model_type: 'gpt2', n_embd: 32 })],
  ['a translator', other, /Call loadEncoderDecoder instead/, config({ model_type: 'marian' })],
  ['an unknown kind of classes', other, /problem_type .*"ranking"/, config({ problem_type: 'ranking' })],
  [
    'classes without names',
    bad,
    /id2label/,
    config({ architectures: ['BertForSequenceClassification'], id2label: { 0: 'a', 2: 'c' } }),
  ],
  ['fewer layers than there are', bad, /num_hidden_layers in config.json is 1/, config({ num_hidden_layers: 1 })],
  ['more layers than there are', bad, /lacks the tensor encoder.layer.2/, config({ num_hidden_layers: 3 })],
  [
    'no word embeddings',
    bad,
    /lacks the tensor .*word_embeddings/,
    (folder) => folder.change((all) => all.delete('embeddings.word_embeddings.weight')),
  ],
  [
    'a layer without bias',
    bad,
    /lacks the tensor .*layer.1.output.dense.bias/,
    (folder) => folder.change((all) => all.delete(`${layer}.bias`)),
  ],
  [
    'a layer of another shape',
    bad,
    /layer.1.output.dense.bias .*shape \[33\]; expected \[32\]/,
    (folder) => folder.change((all) => all.set(`${layer}.bias`, { dtype: 'F32', shape: [33], bytes: values(33, 0) })),
  ],
  [
    'weights of integers',
    other,
    /layer.1.output.dense.bias .*stored as I32/,
    (folder) => folder.change((all) => all.set(`${layer}.bias`, { dtype: 'I32', shape: [32], bytes: values(32, 0) })),
  ],
  [
    'what is no number',
    bad,
    /layer.1.output.dense.bias .*holds NaN/,
    (folder) =>
      folder.change((all) => all.set(`${layer}.bias`, { dtype: 'F32', shape: [32], bytes: values(32, Number.NaN) })),
  ],
  [
    'a part that no BERT has',
    other,
    /encoder.layer.0.adapter.weight, which no BERT has/,
    (folder) =>
      folder.change((all) =>
        all.set('encoder.layer.0.adapter.weight', { dtype: 'F32', shape: [4], bytes: values(4, 0) }),
      ),
  ],
  [
    'one norm under both of its names',
    bad,
    /holds both .*LayerNorm.*LayerNorm/,
    (folder) => folder.change((all) => all.set('embeddings.LayerNorm.gamma', all.get('embeddings.LayerNorm.weight')!)),
  ],
  [
    'a file that ends early',
    bad,
    /model.safetensors has \d+ bytes; expected \d+/,
    (folder) =>
      folder.write(
        'model.safetensors',
        (folder.files.get('model.safetensors') as Uint8Array<ArrayBuffer>).slice(0, -40),
      ),
  ],
  [
    'a pickle',
    other,
    /pytorch_model.bin is a PyTorch pickle/,
    (folder) => folder.delete('model.safetensors').write('pytorch_model.bin', 'PK'),
  ],
  ['a tokenizer that is no JSON', bad, /tokenizer.json is not JSON/, (folder) => folder.write('tokenizer.json', '{')],
  [
    'a tokenizer with more words than the model',
    bad,
    /tokenizer.json: model.vocab: "zebra" has the id 900, expected 0 to 310/,
    (folder) => {
      const { model, ...rest } = folder.json('tokenizer.json') as { model: { vocab: object } };
      folder.set('tokenizer.json', { ...rest, model: { ...model, vocab: { ...model.vocab, zebra: 900 } } });
    },
  ],
  ['a list of modules that is none', bad, /modules.json holds {}/, (folder) => folder.write('modules.json', '{}')],
  ['a module without a path', bad, /Module 1 in modules.json/, (folder) => folder.module(1, { path: 7 })],
  [
    'a module from elsewhere',
    bad,
    /path of module 1 .*"\.\.\/other"/,
    (folder) => folder.module(1, { path: '../other' }),
  ],
  [
    'a module that is not followed',
    other,
    /models.CNN; expected one of Transformer, Pooling/,
    (folder) => folder.module(2, { type: `${st}.CNN` }),
  ],
  ['a module of its own', other, /my_module.Pooling/, (folder) => folder.module(1, { type: 'my_module.Pooling' })],
  [
    'no pooling',
    other,
    /expected a Transformer in the folder itself, then a Pooling/,
    (folder) => folder.module(1, { type: `${st}.Normalize` }),
  ],
  [
    'a transformer in a folder',
    other,
    /Transformer in .\/0_Transformer/,
    (folder) => folder.module(0, { path: '0_Transformer' }),
  ],
  ['two poolings', bad, /a second Pooling/, (folder) => folder.module(2, { type: `${st}.Pooling` })],
  [
    'a pooling without its file',
    bad,
    /There is no 1_Pooling\/config.json/,
    (folder) => folder.delete('1_Pooling/config.json'),
  ],
  [
    'a pooling of another width',
    bad,
    /word_embedding_dimension in 1_Pooling\/config.json is 33; expected 32/,
    (folder) => folder.set('1_Pooling/config.json', { word_embedding_dimension: 33 }),
  ],
  [
    'a pooling by a number',
    bad,
    /pooling_mode_max_tokens .* 2/,
    (folder) => folder.set('1_Pooling/config.json', { pooling_mode_max_tokens: 2 }),
  ],
  [
    'a pooling that is not known',
    other,
    /pooling_mode .*"attention"/,
    (folder) => folder.set('1_Pooling/config.json', { pooling_mode: 'attention' }),
  ],
  [
    'a longest text in quotes',
    bad,
    /max_seq_length .*"24"/,
    (folder) => folder.set('sentence_bert_config.json', { max_seq_length: '24' }),
  ],
  [
    'another task of the transformer',
    other,
    /transformer_task .*"fill-mask"/,
    (folder) => folder.set('sentence_bert_config.json', { transformer_task: 'fill-mask' }),
  ],
  [
    'other outputs of the transformer',
    other,
    /modality_config/,
    (folder) =>
      folder.set('sentence_bert_config.json', {
        modality_config: { text: { method: 'forward', method_output_name: 'pooler_output' } },
      }),
  ],
  [
    'lower case by a word',
    bad,
    /do_lower_case .*"yes"/,
    (folder) => folder.set('sentence_bert_config.json', { do_lower_case: 'yes' }),
  ],
  [
    'prompts that are no texts',
    bad,
    /prompts in config_sentence_transformers.json/,
    (folder) => folder.set('config_sentence_transformers.json', { prompts: { query: 1 } }),
  ],
  [
    'a default prompt that there is none of',
    bad,
    /default_prompt_name .*"query"/,
    (folder) => folder.set('config_sentence_transformers.json', { default_prompt_name: 'query' }),
  ],
  [
    'a layer without its weights',
    bad,
    /There is no 2_Dense\/model.safetensors/,
    (folder) => folder.addDense({}, 32, 8).delete('2_Dense/model.safetensors'),
  ],
  [
    'a layer as a pickle',
    other,
    /2_Dense\/pytorch_model.bin is a PyTorch pickle/,
    (folder) => folder.addDense({}, 32, 8, 'pytorch_model.bin'),
  ],
  [
    'a layer of another width',
    bad,
    /in_features in 2_Dense\/config.json is 30; expected 32/,
    (folder) => folder.addDense({}, 30, 8),
  ],
  [
    'a layer of another shape than its file says',
    bad,
    /linear.weight of shape \[8,32\]; expected the shape \[9,32\]/,
    (folder) => folder.addDense({ out_features: 9 }, 32, 8),
  ],
  [
    'an activation of a layer that is not followed',
    other,
    /activation_function .*Softplus/,
    (folder) => folder.addDense({ activation_function: 'torch.nn.modules.activation.Softplus' }, 32, 8),
  ],
  [
    'a layer on tokens',
    other,
    /module_input_name .*"token_embeddings"/,
    (folder) => folder.addDense({ module_input_name: 'token_embeddings' }, 32, 8),
  ],
  [
    'a layer with a way around it',
    other,
    /use_residual .*true/,
    (folder) => folder.addDense({ use_residual: true }, 32, 32),
  ],
];

describe('an encoder that is refused', () => {
  test.each(broken)('%s', async (_, code, message, change) => {
    const folder = await EncoderFolder.open('st-mean');
    change(folder);
    const found = await loadEncoder(folder.source, { device: 'cpu' }).catch((error: unknown) => error);
    expect(found).toMatchObject({ name: 'VitrineError', code, message: expect.stringMatching(message) });
  });

  test('a context longer than there are positions', async () => {
    const { source } = await EncoderFolder.open('st-mean');
    await expect(loadEncoder(source, { device: 'cpu', contextLength: 65 })).rejects.toMatchObject({
      code: 'bad-option',
    });
  });
});

describe('an encoder is read as it is published', () => {
  const words = 'bert.embeddings.word_embeddings.weight';
  const head = 'cls.predictions.decoder.weight';
  const same: [string, Change][] = [
    ['the head alone is stored', (folder) => folder.change((all) => void all.delete(words))],
    ['the words alone are stored', (folder) => folder.change((all) => void all.delete(head))],
    [
      "the head's bias has its other name",
      (folder) =>
        folder.change((all) => {
          all.set('cls.predictions.decoder.bias', all.get('cls.predictions.bias')!);
          all.delete('cls.predictions.bias');
        }),
    ],
    [
      'no prefix, and norms by their names of today',
      (folder) =>
        folder.change((all) => {
          for (const [name, tensor] of [...all]) {
            all.delete(name);
            all.set(
              name
                .replace(/^bert\./, '')
                .replace('gamma', 'weight')
                .replace('beta', 'bias'),
              tensor,
            );
          }
        }),
    ],
    [
      'Infinity and NaN in fields that do not matter',
      (folder) => {
        const text = JSON.stringify({ ...folder.json('config.json'), one: 1, two: 2, three: 'NaN' });
        folder.write('config.json', text.replace('"one":1', '"one":-Infinity').replace('"two":2', '"two":NaN'));
      },
    ],
    [
      'two shards, and an index that lists more than they hold',
      (folder) => {
        const all = [...folder.tensors];
        const { files } = folder;
        const weight_map: Record<string, string> = {
          'bert.embeddings.position_ids': 'b.safetensors',
          gone: 'c.safetensors',
        };
        for (const [i, part] of [all.slice(0, 20), all.slice(20)].entries()) {
          const file = `${'ab'[i]}.safetensors`;
          folder.change((tensors) => {
            for (const name of [...tensors.keys()]) if (!part.some(([own]) => own === name)) tensors.delete(name);
          });
          const shard = files.get('model.safetensors')!;
          for (const [name] of part) weight_map[name] = file;
          files.set(file, shard);
          folder.write('model.safetensors', whole!);
        }
        folder.delete('model.safetensors').write('model.safetensors.index.json', JSON.stringify({ weight_map }));
      },
    ],
  ];
  let whole: Uint8Array<ArrayBuffer> | undefined;

  test.each(same)('%s', async (_, change) => {
    const folder = await EncoderFolder.open('bert-mlm');
    whole = folder.files.get('model.safetensors') as Uint8Array<ArrayBuffer>;
    const run = async () => {
      const encoder = await loadEncoder(folder.source, { device: 'cpu' });
      const { logits } = await encoder.run(['a [MASK] of glass']);
      encoder.dispose();
      return logits![0]!.data;
    };
    const expected = await run();
    change(folder);
    expectClose(await run(), expected, { absolute: 0 });
  });

  test('what no shard holds is missed only where it is needed', async () => {
    const folder = await EncoderFolder.open('st-mean');
    const names = [...folder.tensors.keys()];
    const weight_map = Object.fromEntries([...names, `${layer}.more`].map((name) => [name, 'a.safetensors']));
    folder.change((all) => void all.delete(`${layer}.bias`));
    folder.write('a.safetensors', folder.files.get('model.safetensors')!).delete('model.safetensors');
    folder.write('model.safetensors.index.json', JSON.stringify({ weight_map }));
    await expect(loadEncoder(folder.source, { device: 'cpu' })).rejects.toMatchObject({
      code: 'bad-checkpoint',
      message: expect.stringMatching(
        /puts the tensor encoder.layer.1.output.dense.bias into a.safetensors, which does not hold it/,
      ),
    });
  });
});

test('messages of DistilBERT name its own fields', async () => {
  const refused = async (fields: Record<string, unknown>, message: RegExp) => {
    const { source } = (await EncoderFolder.open('distilbert-mlm')).set('config.json', fields);
    const loading = loadEncoder(source, { device: 'cpu' });
    await expect(loading).rejects.toMatchObject({ code: 'bad-checkpoint', message: expect.stringMatching(message) });
  };
  await refused({ n_layers: 1 }, /n_layers in config.json is 1/);
  await refused({ dim: 41 }, /dim in config.json is 41; expected a multiple of n_heads, which is 2/);
  await refused({ hidden_dim: 80 }, /ffn.lin1.weight .*shape \[90,40\]; expected \[80,40\]/);
});

test("a tokenizer's files are those of the model's own type", async () => {
  const { source } = await EncoderFolder.open('roberta-mlm');
  const { modelType } = await (await openCheckpoint(source, { kind: 'encoder' })).tokenizerFiles();
  expect(modelType).toBe('roberta');
});
