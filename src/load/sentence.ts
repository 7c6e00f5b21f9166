import { Fields } from '../model/fields.ts';
import type { DenseActivation, DenseLayer, PoolingMode, SentenceConfig } from '../model/sentence.ts';
import { poolingModes } from '../model/sentence.ts';
import { badCheckpoint, unsupportedCheckpoint } from '../plan/error.ts';
import { show } from '../plan/show.ts';
import type { Checkpoint } from './checkpoint.ts';
import { isObject, parseJson } from './files.ts';

type Read = (file: string) => Promise<Fields | undefined>;

/** Where one of `modules.json`'s modules stands, with a slash at its end; the folder itself is ''. */
interface Module {
  type: string;
  folder: string;
}

/** What Vitrine follows, by the end of its class's name. */
const known = ['Transformer', 'Pooling', 'Dense', 'Normalize', 'Dropout'];

const activations = new Map<string, DenseActivation>([
  ['torch.nn.modules.activation.Tanh', 'tanh'],
  ['torch.nn.modules.linear.Identity', 'identity'],
  ['torch.nn.modules.activation.ReLU', 'relu'],
  ['torch.nn.modules.activation.GELU', 'gelu'],
  ['torch.nn.modules.activation.SiLU', 'silu'],
  ['torch.nn.modules.activation.Sigmoid', 'sigmoid'],
]);

/** The modes of old files, in the order in which their results are joined; the mean is taken where none is named. */
const flags: readonly (readonly [flag: string, mode: PoolingMode])[] = [
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
];

/**
 * What a folder of sentence-transformers says of embeddings: the modules behind the transformer, its longest text, and prompts.
 * Undefined where there is no `modules.json`.
 * @throws VitrineError `unsupported-checkpoint` for a module or setting that Vitrine does not follow, `bad-checkpoint`, `network`
 */
export async function readSentenceConfig(
  checkpoint: Pick<Checkpoint<never>, 'text' | 'tensorsOf'>,
  { modelType, nEmbd }: { modelType: string; nEmbd: number },
  signal?: AbortSignal,
): Promise<SentenceConfig | undefined> {
  const text = (file: string) => checkpoint.text(file, signal);
  const read: Read = async (file) => {
    const found = await text(file);
    return found === undefined ? undefined : new Fields(parseJson(found, file), file, undefined, 'a module');
  };
  const listed = await text('modules.json');
  if (listed === undefined) return undefined;
  const [first, ...modules] = readModules(parseJson(listed, 'modules.json'));
  // A CrossEncoder makes no embeddings: it is a transformer with its head, as if there were no modules.
  const isCross = (one?: Fields) => one?.get('transformer_task') === 'sequence-classification';
  if (modules.length === 0 && isCross(await read('sentence_bert_config.json'))) return undefined;
  if (first?.type !== 'Transformer' || first.folder !== '' || modules[0]?.type !== 'Pooling') {
    const found = [first, ...modules].map((module) => module && `${module.type} in ./${module.folder}`);
    throw unsupportedCheckpoint(
      `modules.json lists ${found.join(', ')}; expected a Transformer in the folder itself, then a Pooling.`,
    );
  }
  const [limits, prompts, pooling] = await Promise.all([
    readLimits(read, modelType),
    readPrompts(read),
    readPooling(read, modules[0].folder, nEmbd),
  ]);
  const steps: SentenceConfig['steps'] = [];
  let width = nEmbd * pooling.pooling.length;
  for (const { type, folder } of modules.slice(1)) {
    if (type === 'Dense') {
      const layer = await readDense(checkpoint, read, folder, width, signal);
      steps.push(layer);
      width = layer.nOut;
    } else if (type === 'Normalize') {
      (await read(`${folder}config.json`))?.fixed(embeddingsOnly);
      steps.push('normalize');
    } else if (type !== 'Dropout') throw badCheckpoint(`modules.json lists a second ${type}.`);
  }
  return { ...limits, ...prompts, ...pooling, steps, width };
}

function readModules(json: unknown): Module[] {
  if (!Array.isArray(json) || json.length === 0) {
    throw badCheckpoint(`modules.json holds ${show(json)}; expected a list of modules.`);
  }
  return json.map((module, i) => {
    const { type, path } = isObject(module) ? module : {};
    if (typeof type !== 'string' || typeof path !== 'string') {
      throw badCheckpoint(`Module ${i} in modules.json is ${show(module)}; expected its type and path.`);
    }
    const name = /^sentence_transformers\.(?:\w+\.)*(\w+)$/.exec(type)?.[1] ?? '';
    if (!known.includes(name)) {
      const message = `Module ${i} in modules.json is a ${type}; expected one of ${known.join(', ')}.`;
      throw unsupportedCheckpoint(message, 'Without it the embeddings would be others.');
    }
    if (!/^(?:[\w-][\w .-]*)?\/?$/.test(path)) {
      throw badCheckpoint(`The path of module ${i} in modules.json is ${show(path)}; expected a folder beside it.`);
    }
    return { type: name, folder: path && `${path.replace(/\/$/, '')}/` };
  });
}

/** The transformer's own settings: in old folders the file is called after its class. */
async function readLimits(read: Read, modelType: string): Promise<Pick<SentenceConfig, 'maxLength' | 'lowercase'>> {
  const named = modelType === 'bert' ? [] : [`sentence_${modelType}_config.json`];
  let fields: Fields | undefined;
  for (const file of ['sentence_bert_config.json', ...named]) fields ??= await read(file);
  if (!fields) return { maxLength: undefined, lowercase: false };
  fields.fixed({
    transformer_task: 'feature-extraction',
    module_output_name: 'token_embeddings',
    query_length: null,
    document_length: null,
    query_expansion: null,
  });
  const modality = fields.get('modality_config');
  const { text } = isObject(modality) ? modality : { text: modality };
  const output = isObject(text) ? text.method_output_name : text;
  if (output !== undefined && output !== 'last_hidden_state') {
    throw fields.unsupported('modality_config', 'the last_hidden_state of texts');
  }
  return {
    maxLength: fields.get('max_seq_length') === undefined ? undefined : fields.size('max_seq_length', 'positions'),
    lowercase: fields.flag('do_lower_case', false),
  };
}

async function readPrompts(read: Read): Promise<Pick<SentenceConfig, 'prompts' | 'defaultPrompt'>> {
  const fields = await read('config_sentence_transformers.json');
  const prompts = fields?.get('prompts') ?? {};
  if (!isObject(prompts) || !Object.values(prompts).every((prompt) => typeof prompt === 'string')) {
    throw fields!.bad('prompts', 'an object of names and texts');
  }
  const name = fields?.get('default_prompt_name');
  const named = new Map(Object.entries(prompts) as [string, string][]);
  if (name === undefined) return { prompts: named, defaultPrompt: undefined };
  if (typeof name !== 'string' || !named.has(name)) {
    throw fields!.bad('default_prompt_name', `one of prompts: ${[...named.keys()].join(', ') || 'there are none'}`);
  }
  return { prompts: named, defaultPrompt: named.get(name) };
}

async function readPooling(
  read: Read,
  folder: string,
  nEmbd: number,
): Promise<Pick<SentenceConfig, 'pooling' | 'includePrompt'>> {
  const file = `${folder}config.json`;
  const fields = await read(file);
  if (!fields) throw badCheckpoint(`There is no ${file}, which says how embeddings are made.`);
  const width = fields.get('embedding_dimension') === undefined ? 'word_embedding_dimension' : 'embedding_dimension';
  if (fields.size(width, 'width') !== nEmbd) throw fields.bad(width, `${nEmbd}, the model's width`);
  const includePrompt = fields.flag('include_prompt', true);
  const given = fields.get('pooling_mode');
  if (given === undefined) {
    const isOld = flags.some(([flag]) => fields.get(flag) !== undefined);
    const modes = flags.filter(([flag, mode]) => fields.flag(flag, !isOld && mode === 'mean')).map(([, mode]) => mode);
    return { pooling: modes.length > 0 ? modes : ['mean'], includePrompt };
  }
  const pooling = [given].flat().map((mode) => (mode === 'mean_sqrt_len_tokens' ? 'mean_sqrt_len' : mode));
  const areKnown = pooling.every((mode): mode is PoolingMode => poolingModes.includes(mode as PoolingMode));
  if (!areKnown || pooling.length === 0) throw fields.unsupported('pooling_mode', `of ${poolingModes.join(', ')}`);
  return { pooling, includePrompt };
}

/** Modules that work on something else than the embedding are for other models. */
const embeddingsOnly = { module_input_name: 'sentence_embedding', module_output_name: 'sentence_embedding' };

async function readDense(
  checkpoint: Pick<Checkpoint<never>, 'text' | 'tensorsOf'>,
  read: Read,
  folder: string,
  width: number,
  signal: AbortSignal | undefined,
): Promise<DenseLayer> {
  const file = `${folder}config.json`;
  const fields = await read(file);
  if (!fields) throw badCheckpoint(`There is no ${file}, which describes a layer of the embedding.`);
  fields.fixed({ ...embeddingsOnly, use_residual: false });
  const [nIn, nOut] = [fields.size('in_features', 'width'), fields.size('out_features', 'width')];
  if (nIn !== width) throw fields.bad('in_features', `${width}, what comes before`);
  const name = fields.get('activation_function') ?? 'torch.nn.modules.activation.Tanh';
  const activation = activations.get(name as string);
  if (!activation) throw fields.unsupported('activation_function', [...activations.keys()].join(', '));
  const stored = await checkpoint.tensorsOf(`${folder}model.safetensors`, signal);
  const tensor = (name: string, ...shape: number[]) => {
    const found = stored.get(name);
    if (found && found.shape.join() === shape.join()) return found.data;
    const what = found ? `has ${name} of shape [${found.shape}]` : `lacks ${name}`;
    throw badCheckpoint(`${folder}model.safetensors ${what}; expected the shape [${shape}] by ${file}.`);
  };
  const weight = tensor('linear.weight', nOut, nIn);
  return { nIn, nOut, weight, activation, ...(fields.flag('bias', true) && { bias: tensor('linear.bias', nOut) }) };
}
