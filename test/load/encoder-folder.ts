import { familyFiles } from '../model/families.ts';
import { encodeSafetensors, type TensorData } from './tiny-checkpoint.ts';

type Json = Record<string, unknown>;

/** A fixture's folder as its files' contents, to be changed. */
export class EncoderFolder {
  readonly files = new Map<string, string | Uint8Array<ArrayBuffer>>();

  static async open(name: string): Promise<EncoderFolder> {
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
    const more = [
      'modules.json',
      'sentence_bert_config.json',
      'config_sentence_transformers.json',
      '1_Pooling/config.json',
    ];
    const folder = new EncoderFolder();
    for (const file of await familyFiles(name, [...names, ...more])) {
      folder.files.set(file.name, new Uint8Array(await file.arrayBuffer()));
    }
    return folder;
  }

  /** As a list of files is given to a loader. */
  get source(): File[] {
    return [...this.files].map(([name, contents]) => new File([contents], name));
  }

  json(file: string): Json {
    const contents = this.files.get(file) ?? '{}';
    return JSON.parse(typeof contents === 'string' ? contents : new TextDecoder().decode(contents)) as Json;
  }

  /** Fields of a JSON file; undefined takes one away. */
  set(file: string, fields: Json): this {
    this.files.set(file, JSON.stringify({ ...this.json(file), ...fields }));
    return this;
  }

  write(file: string, contents: string | Uint8Array<ArrayBuffer>): this {
    this.files.set(file, contents);
    return this;
  }

  delete(file: string): this {
    this.files.delete(file);
    return this;
  }

  get tensors(): Map<string, TensorData> {
    const bytes = this.files.get('model.safetensors') as Uint8Array<ArrayBuffer>;
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    const entries = Object.entries(header) as [string, { dtype: string; shape: number[]; data_offsets: number[] }][];
    return new Map(
      entries
        .filter(([name]) => name !== '__metadata__')
        .map(
          ([
            name,
            {
              dtype,
              shape,
              data_offsets: [start, end],
            },
          ]) => [name, { dtype, shape, bytes: bytes.slice(8 + length + start!, 8 + length + end!) }],
        ),
    );
  }

  /** Tensors added, changed or taken away, with a header that fits. */
  change(edit: (tensors: Map<string, TensorData>) => void): this {
    const { tensors } = this;
    edit(tensors);
    return this.write('model.safetensors', encodeSafetensors(tensors));
  }

  /** A layer behind the pooling, of so many numbers, each weight 1 / 64. */
  addDense(config: Json, nIn: number, nOut: number, file = 'model.safetensors'): this {
    const ones = (count: number) => new Uint8Array(new Float32Array(count).fill(1 / 64).buffer);
    const tensors = new Map([
      ['linear.weight', { dtype: 'F32', shape: [nOut, nIn], bytes: ones(nIn * nOut) }],
      ['linear.bias', { dtype: 'F32', shape: [nOut], bytes: ones(nOut) }],
    ]);
    const modules = this.json('modules.json') as unknown as Json[];
    modules.splice(2, 0, { idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense' });
    this.write('modules.json', JSON.stringify(modules));
    this.set('2_Dense/config.json', { in_features: nIn, out_features: nOut, bias: true, ...config });
    return this.write(`2_Dense/${file}`, encodeSafetensors(tensors));
  }

  /** modules.json with the type or path of one module changed. */
  module(index: number, fields: Json): this {
    const modules = this.json('modules.json') as unknown as Json[];
    Object.assign(modules[index]!, fields);
    return this.write('modules.json', JSON.stringify(modules));
  }
}
