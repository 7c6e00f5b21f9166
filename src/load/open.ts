import type { EncoderConfig } from '../model/bert.ts';
import type { ModelConfig } from '../model/config.ts';
import { familyOf, refuseKind } from '../model/families.ts';
import type { BaseConfig, EncoderDecoderConfig, Kind } from '../model/family.ts';
import { Fields } from '../model/fields.ts';
import type { VisionConfig } from '../model/vit.ts';
import { unsupportedCheckpoint } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { untilAborted } from '../plan/until-aborted.ts';
import type { Checkpoint, Progress } from './checkpoint.ts';
import { exists, type Files, isAdapterFile, parseJson, readText } from './files.ts';
import { safetensorsLayout } from './layout.ts';
import { type Directory, readDirectory } from './safetensors.ts';
import { locate, type Source, type SourceOptions } from './source.ts';
import { areChanges, otherKinds } from './suspects.ts';
import { TensorCheckpoint } from './tensors.ts';

export type { Source } from './source.ts';

/** The config that a kind of model has. */
export interface ConfigOf {
  decoder: ModelConfig;
  encoder: EncoderConfig;
  'encoder-decoder': EncoderDecoderConfig;
  vision: VisionConfig;
}

type Listeners = Pick<OpenOptions, 'signal' | 'onProgress'>;

export interface OpenOptions<K extends Kind = 'decoder'> extends SourceOptions {
  /** The kind of model that it must be; `decoder` if absent, `undefined` for any. */
  kind?: K | undefined;
  /** Told of the checkpoint's size when it is opened (stage `config`), then of every megabyte read (`weights`). */
  onProgress?: (progress: Progress) => void;
  /** Cancels the opening; `Checkpoint.read` takes its own. */
  signal?: AbortSignal;
  /** It was begun before, and files changed meanwhile. */
  anew?: boolean;
}

/**
 * Opens a GPT-2 checkpoint: a GGUF file, or Hugging Face's layout, which is `config.json` with `model.safetensors`, or
 * with `model.safetensors.index.json` and its shards. Reads and checks the config and the directory of tensors, no
 * weight. Where a folder or repository has no safetensors but GGUF files, one of these is taken, Q8_0 first.
 *
 * Tensor names may have the prefix `transformer.`. What does not take part in GPT-2's computation is left alone: the
 * causal masks that old files hold (`h.0.attn.bias`), heads of other tasks, `lm_head.weight` beside a tied embedding.
 * What belongs to blocks or embeddings and is no part of a GPT-2 is refused by `Checkpoint.check`: without it the
 * model would compute something else.
 * @throws VitrineError `bad-checkpoint`, `unsupported-checkpoint`, `network`, or `bad-option` for what is no source;
 *   the signal's reason when cancelled
 */
export async function openCheckpoint<K extends Kind = 'decoder'>(
  source: Source,
  options: OpenOptions<K> = {},
): Promise<Checkpoint<ConfigOf[K]>> {
  const { signal, onProgress } = options;
  const kind: Kind | undefined = 'kind' in options ? options.kind : 'decoder';
  signal?.throwIfAborted();
  const { files, weights } = await locate(source, options);
  if (weights !== undefined && isAdapterFile(weights)) throw await adapterIn(files, { known: true, signal });
  if (weights !== undefined) await checkFormat(weights);
  if (weights && isGguf(weights))
    return openGguf(files, weights, kind, options) as unknown as Promise<Checkpoint<ConfigOf[K]>>;
  const asked = readText(files, 'config.json', signal);
  const reading = readDirectory(files, weights ?? 'model.safetensors', signal);
  reading.catch(() => {}); // what is wrong with the config is told first
  const config = await asked;
  const tensors = config === undefined ? undefined : await readTensors(files, await reading, weights, signal);
  if (config !== undefined && tensors) {
    const json = parseJson(config, 'config.json');
    if (areChanges(tensors.tensors)) throw await adapterIn(files, { known: true, signal });
    const fields = new Fields(json, 'config.json');
    const family = await untilAborted(familyOf(fields, kind), signal);
    const held = new Set(tensors.tensors.map(({ name }) => family.nameOf(name)));
    const parsed = family.config(fields, (name) => held.has(name));
    const classes = fields.architectures();
    if (family.kind === 'decoder' && !classes.some((name) => writes.test(name)))
      (await otherKinds()).refuseOtherHeads(classes, tensors.tensors);
    const layout = safetensorsLayout(family, parsed);
    const checkpoint = new TensorCheckpoint(files, family, parsed, tensors, layout, onProgress);
    return opened(checkpoint, 'config.json', options) as unknown as Checkpoint<ConfigOf[K]>;
  }
  const gguf = weights === undefined ? await chosenGguf(files, signal) : undefined;
  if (gguf !== undefined) return openGguf(files, gguf, kind, options) as unknown as Promise<Checkpoint<ConfigOf[K]>>;
  const refused = await adapterIn(files, { signal });
  throw refused ?? (config === undefined ? files.missing('config.json') : await lacking(files, weights, signal));
}

/** Classes that write texts; GPT2DoubleHeadsModel has a head of another task beside the one that does. */
const writes = /LMHead|DoubleHeads|CausalLM/;

const adapterIn: typeof import('./other-kinds.ts').adapterIn = async (...asked) =>
  (await otherKinds()).adapterIn(...asked);

async function chosenGguf(files: Files, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { chooseGguf } = await part('What chooses among files', () => import('./gguf-choice.ts'));
  return chooseGguf((await files.list?.(signal)) ?? []);
}

async function openGguf(files: Files, file: string, kind: Kind | undefined, options: Listeners): Promise<Checkpoint> {
  const [{ readGguf }, { ggufModel }] = await untilAborted(
    part('The reader of GGUF files', () => Promise.all([import('./gguf.ts'), import('./gguf-model.ts')])),
    options.signal,
  );
  const gguf = await readGguf(files, file, options.signal);
  if (!gguf) throw files.missing(file);
  const { family, config, layout } = ggufModel(gguf, file);
  refuseKind(family, String(gguf.fields.get('general.architecture')), kind);
  const checkpoint = new TensorCheckpoint(files, family, config, gguf, layout, options.onProgress);
  return opened(checkpoint as unknown as Checkpoint, file, options);
}

/** Says what there is to be read; the first that a load reports. */
function opened<C extends BaseConfig>(checkpoint: Checkpoint<C>, file: string, { signal, onProgress }: Listeners) {
  signal?.throwIfAborted();
  onProgress?.({ stage: 'config', loaded: 0, total: checkpoint.bytes, file });
  return checkpoint;
}

const isGguf = (file: string) => /\.gguf$/i.test(file);

/** The tensors of the weight file, or where there is none, and the source names none, of the shards that an index lists. */
async function readTensors(
  files: Files,
  tensors: Directory['tensors'] | undefined,
  weights: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Directory | undefined> {
  if (tensors) return { tensors };
  if (weights !== undefined) return undefined;
  const index = 'model.safetensors.index.json';
  if (!(await exists(files, index, signal))) return undefined;
  const { readSharded } = await part('The reader of shards', () => import('./sharded.ts'));
  return readSharded(files, index, signal);
}

/** Why there are no weights. */
async function lacking(files: Files, weights: string | undefined, signal: AbortSignal | undefined) {
  for (const pickle of weights === undefined ? ['pytorch_model.bin', 'pytorch_model.bin.index.json'] : []) {
    if (await exists(files, pickle, signal)) return (await otherKinds()).pickled(pickle);
  }
  return files.missing(weights ?? 'model.safetensors');
}

/** Refuses weight files of other formats by their name, before anything is fetched. */
async function checkFormat(file: string): Promise<void> {
  if (/\.safetensors$/i.test(file) || isGguf(file)) return;
  if (/\.(bin|pt|pth|ckpt)$/i.test(file)) throw (await otherKinds()).pickled(file);
  const format = file.slice(file.lastIndexOf('.') + 1).toUpperCase();
  throw unsupportedCheckpoint(`${file} is in the format ${format}; expected safetensors or GGUF.`);
}
